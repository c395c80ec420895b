/**
 * Chunk body: the sealed leaves of one chunk as they lie in the spool or in a store.
 * Implements spec/chunk-body.md. Silent leaves are not in it.
 */
import { joinBytes } from './bytes.ts';
import { MAX_ENTRIES } from './chunk-header.ts';
import { FormatError } from './errors.ts';
import { ByteReader, writeVarint } from './varint.ts';

export type SealedLeaf = {
  /** Of the stream in its log, counted by first leaf from 0. */
  readonly ordinal: number;
  readonly sealed: Uint8Array;
};

/** `varint span ‖ bit for each ordinal below it, from the low bit ‖ varint lengths ‖ sealed leaves`, ascending. */
export function encodeChunkBody(leaves: readonly SealedLeaf[]): Uint8Array {
  const span = (leaves.at(-1)?.ordinal ?? -1) + 1;
  const head = new Uint8Array(8 + Math.ceil(span / 8) + leaves.length * 8);
  const bitmap = writeVarint(head, 0, span);
  let at = bitmap + Math.ceil(span / 8);
  for (const { ordinal, sealed } of leaves) {
    const byte = bitmap + (ordinal >> 3);
    head[byte] = (head[byte] ?? 0) | (1 << (ordinal & 7));
    at = writeVarint(head, at, sealed.length);
  }
  return joinBytes([head.subarray(0, at), ...leaves.map((leaf) => leaf.sealed)]);
}

/** Views into `bytes`. @throws FormatError CHUNK_BODY */
export function decodeChunkBody(bytes: Uint8Array): readonly SealedLeaf[] {
  const reader = new ByteReader(bytes, 'CHUNK_BODY');
  const span = reader.varint();
  if (span > MAX_ENTRIES) throw new FormatError('CHUNK_BODY', `expected at most ${MAX_ENTRIES}`);
  const bitmap = reader.take(Math.ceil(span / 8));
  const ordinals: number[] = [];
  for (let ordinal = 0; ordinal < bitmap.length * 8; ordinal++) {
    if (((bitmap[ordinal >> 3] ?? 0) & (1 << (ordinal & 7))) !== 0) ordinals.push(ordinal);
  }
  // The span ends at the last leaf, so one set of leaves has one encoding.
  if ((ordinals.at(-1) ?? -1) !== span - 1) {
    throw new FormatError('CHUNK_BODY', 'expected the span to end at the last leaf');
  }
  const index = ordinals.map((ordinal) => ({ ordinal, length: reader.varint() }));
  const leaves = index.map(({ ordinal, length }) => ({ ordinal, sealed: reader.take(length) }));
  reader.end();
  return leaves;
}

/** What the spool keeps of a recovered chunk. */
export type RecoveredBody = {
  /** Sealed under the chunk nonce; those of streams that are silent in all blocks are left out. */
  readonly presence: readonly SealedLeaf[];
  /** In order. */
  readonly blocks: readonly RecoveredBlock[];
};

export type RecoveredBlock = {
  /** COSE_Sign1 of the dead session. */
  readonly head: Uint8Array;
  /** Sealed under the block nonce. */
  readonly leaves: readonly SealedLeaf[];
};

/** `varint length ‖ body of the presence leaves`, then for each block `varint length ‖ head ‖ varint length ‖ body`. */
export function encodeRecoveredBody({ presence, blocks }: RecoveredBody): Uint8Array {
  const parts = [
    encodeChunkBody(presence),
    ...blocks.flatMap(({ head, leaves }) => [head, encodeChunkBody(leaves)]),
  ];
  return joinBytes(parts.flatMap((part) => [varintBytes(part.length), part]));
}

/** Views into `bytes`. @throws FormatError CHUNK_BODY */
export function decodeRecoveredBody(bytes: Uint8Array): RecoveredBody {
  const reader = new ByteReader(bytes, 'CHUNK_BODY');
  const part = () => reader.take(reader.varint());
  const presence = decodeChunkBody(part());
  const blocks: RecoveredBlock[] = [];
  while (reader.remaining > 0) blocks.push({ head: part(), leaves: decodeChunkBody(part()) });
  return { presence, blocks };
}

function varintBytes(value: number): Uint8Array {
  const out = new Uint8Array(8);
  return out.subarray(0, writeVarint(out, 0, value));
}
