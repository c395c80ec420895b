/** Commit points of an erasure, which most runs never pass. */
import type { CommitPoint } from '../../agent/ports.ts';

export const ERASURE_POINTS: readonly CommitPoint[] = [
  'erasure-kept',
  'erasure-committed',
  'bodies-overwritten',
  'erasure-done',
];
