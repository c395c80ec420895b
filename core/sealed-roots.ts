/**
 * Roots of streams as a unit seals them to its owner's recovery key: what stands in it, and what binds it to its place.
 * Implements spec/keys.md, "Sealed to the owner".
 */
import { encodeCbor } from './cbor.ts';
import { decodeFields } from './fields.ts';
import { NODE_BYTES } from './key-tree.ts';
import { MAX_STREAM_ID_LENGTH } from './stream.ts';
import { MAX_SEQ } from './vehicle-log.ts';

const PURPOSE = 'wmk-roots';
/** `records/journal` has no ordinal: its root stands where no stream ever is. */
export const JOURNAL_ORDINAL = MAX_SEQ;
const MAX_STREAMS = 1 << 20;
/** Thousands of names come at once when a bus wakes up. */
const MAX_BYTES = 1 << 26;

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

export type NamedRoot = { readonly name: string; readonly root: Uint8Array };

/** What the owner's key opened. */
export type OpenedRoots = Pick<RootsPlace, 'log' | 'firstOrdinal'> & {
  readonly streams: readonly NamedRoot[];
};

/** The `info` of the sealing. */
export function rootsInfo({ tag, epoch, log, firstOrdinal }: RootsPlace): Uint8Array {
  return encodeCbor([PURPOSE, tag, epoch, log, firstOrdinal]);
}

export function encodeRoots(streams: readonly NamedRoot[]): Uint8Array {
  return encodeCbor([streams.map(({ name, root }) => [name, root])]);
}

/** @throws FormatError CBOR_*, FIELD_* */
export function decodeRoots(plain: Uint8Array): readonly NamedRoot[] {
  return decodeFields(
    plain,
    'roots',
    (fields) =>
      fields.list('streams', MAX_STREAMS, (stream) => ({
        name: stream.text('name', MAX_STREAM_ID_LENGTH),
        root: stream.bytes('root', NODE_BYTES),
      })),
    MAX_BYTES,
  );
}
