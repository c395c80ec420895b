/**
 * The service's edges: what its stages need from each other and from outside, implemented in the stages' folders. One file for
 * each stage, in the order of a statement's way; whoever needs an edge imports it from here.
 */

export type * from './ports/chain.ts';
export type * from './ports/intake.ts';
export type * from './ports/outside.ts';
export type * from './ports/publish.ts';
export type * from './ports/receipt.ts';
export type * from './ports/retention.ts';
export type * from './ports/serve.ts';
export type * from './ports/service.ts';
export type * from './ports/stamp.ts';
export type * from './ports/window.ts';
