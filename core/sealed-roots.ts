/**
 * Roots of streams as a unit seals them to its owner's recovery key: what stands in it, and what binds it to its place.
 * Implements spec/keys.md, "Sealed to the owner".
 */
import { encodeCbor } from './cbor.ts';
import type { StreamKeys } from './stream-keys.ts';
import { MAX_SEQ } from './vehicle-log.ts';

const PURPOSE = 'wmk-roots';
/** `records/journal` has no ordinal: its root stands where no stream ever is. */
export const JOURNAL_ORDINAL = MAX_SEQ;

export type RootsPlace = {
  readonly tag: Uint8Array;
  readonly epoch: number;
  readonly log: number;
  /** Of the first stream; the others follow. */
  readonly firstOrdinal: number;
};

export type SealedRoots = RootsPlace & {
  /** As spec/sealing.md has it. */
  readonly sealed: Uint8Array;
};

/** What the owner's key opened. */
export type OpenedRoots = Pick<RootsPlace, 'log' | 'firstOrdinal'> & {
  readonly streams: readonly StreamKeys[];
};

/** The `info` of the sealing. */
export function rootsInfo({ tag, epoch, log, firstOrdinal }: RootsPlace): Uint8Array {
  return encodeCbor([PURPOSE, tag, epoch, log, firstOrdinal]);
}
