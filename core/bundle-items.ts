/**
 * Items of the bundle that are no records of their own: headers, opened leaves, statements.
 * Implements spec/bundle.md, "Items".
 */
import { encodeCbor } from './cbor.ts';
import { MAX_ENTRIES, MAX_HEADER_BYTES } from './chunk-header.ts';
import { FormatError } from './errors.ts';
import { decodeFields } from './fields.ts';
import { HANDLE_BYTES, SALT_BYTES } from './key-tree.ts';
import { MAX_PAYLOAD_BYTES } from './leaf.ts';
import { HASH_BYTES } from './merkle.ts';
import { MAX_SEQ } from './vehicle-log.ts';

/** A header whose signature a check reads, or one that only its statement's tree and its successor vouch for. */
export type HeaderItem = {
  readonly payload: Uint8Array;
  readonly signature: Uint8Array | undefined;
};

export function encodeHeaderItem(item: HeaderItem): Uint8Array {
  return encodeCbor([item.payload, item.signature ?? new Uint8Array(0)]);
}

/** @throws FormatError CBOR_*, FIELD_* */
export function decodeHeaderItem(bytes: Uint8Array): HeaderItem {
  return decodeFields(bytes, 'header item', (fields) => ({
    payload: fields.bytesUpTo('header', MAX_HEADER_BYTES),
    signature: fields.bytesOrNone('signature', 64),
  }));
}

export type OpenedLeaf = {
  /** In the chunk tree. */
  readonly index: number;
  /** In the section `streams`. */
  readonly stream: number;
  readonly handle: Uint8Array;
  readonly salt: Uint8Array;
  /** Packed leaf; empty when the leaf is silent, since its bytes follow from its name. */
  readonly packed: Uint8Array;
};

/** The leaves of one chunk that the bundle opens, ascending by index. */
export type OpenedChunk = {
  readonly log: number;
  readonly seq: number;
  /** Multi-leaf proof of these leaves. */
  readonly proof: readonly Uint8Array[];
  readonly leaves: readonly OpenedLeaf[];
};

const MAX_CHUNK_ITEM_BYTES = 64 << 20;

export function encodeOpenedChunk(chunk: OpenedChunk): Uint8Array {
  return encodeCbor([
    chunk.log,
    chunk.seq,
    chunk.proof,
    chunk.leaves.map((leaf) => [leaf.index, leaf.stream, leaf.handle, leaf.salt, leaf.packed]),
  ]);
}

/** @throws FormatError CBOR_*, FIELD_*, LEAF_ORDER */
export function decodeOpenedChunk(bytes: Uint8Array): OpenedChunk {
  const chunk = decodeFields(
    bytes,
    'opened chunk',
    (fields) => ({
      log: fields.uint('log'),
      seq: fields.uint('seq', MAX_SEQ),
      proof: fields.bytesList('proof', MAX_ENTRIES, HASH_BYTES),
      leaves: fields.list('leaves', MAX_ENTRIES, (leaf) => ({
        index: leaf.uint('leaf index', MAX_ENTRIES),
        stream: leaf.uint('stream', MAX_ENTRIES),
        handle: leaf.bytes('handle', HANDLE_BYTES),
        salt: leaf.bytes('salt', SALT_BYTES),
        packed: leaf.bytesUpTo('packed leaf', MAX_PAYLOAD_BYTES),
      })),
    }),
    MAX_CHUNK_ITEM_BYTES,
  );
  const indexes = chunk.leaves.map((leaf) => leaf.index);
  if (indexes.length === 0 || indexes.some((index, i) => i > 0 && index <= (indexes[i - 1] ?? 0))) {
    throw new FormatError('LEAF_ORDER', 'expected opened leaves, ascending by index');
  }
  return chunk;
}

export type StatementItem = {
  /** COSE_Sign1. */
  readonly statement: Uint8Array;
  /** Multi-leaf proof of those of its headers that the bundle holds; at least one. */
  readonly proof: readonly Uint8Array[];
};

export function encodeStatementItem(item: StatementItem): Uint8Array {
  return encodeCbor([item.statement, item.proof]);
}

/** @throws FormatError CBOR_*, FIELD_* */
export function decodeStatementItem(bytes: Uint8Array): StatementItem {
  return decodeFields(bytes, 'statement item', (fields) => ({
    statement: fields.bytesUpTo('statement', 64 * 1024),
    proof: fields.bytesList('proof', 4096, HASH_BYTES),
  }));
}

/** A journal block of a recovered chunk, and which of the opened leaves stand in it. */
export type BlockItem = {
  /** COSE_Sign1. */
  readonly block: Uint8Array;
  /** Ascending by the index in the block. */
  readonly leaves: readonly { readonly indexInBlock: number; readonly indexInChunk: number }[];
  /** Multi-leaf proof of these leaves to the block's root; empty when there are none. */
  readonly proof: readonly Uint8Array[];
};

export function encodeBlockItem(item: BlockItem): Uint8Array {
  return encodeCbor([
    item.block,
    item.leaves.map((leaf) => [leaf.indexInBlock, leaf.indexInChunk]),
    item.proof,
  ]);
}

/** @throws FormatError CBOR_*, FIELD_* */
export function decodeBlockItem(bytes: Uint8Array): BlockItem {
  return decodeFields(bytes, 'block item', (fields) => ({
    block: fields.bytesUpTo('block', 20 * 1024),
    leaves: fields.list('leaves', MAX_ENTRIES, (leaf) => ({
      indexInBlock: leaf.uint('index in block', MAX_ENTRIES),
      indexInChunk: leaf.uint('index in chunk', MAX_ENTRIES),
    })),
    proof: fields.bytesList('proof', MAX_ENTRIES, HASH_BYTES),
  }));
}

export type EnrolmentItem = {
  /** COSE_Sign1. */
  readonly enrolment: Uint8Array;
  /** What opens the VIN commitment; none while the owner does not show the VIN. */
  readonly vin: { readonly salt: Uint8Array; readonly vin: string } | undefined;
};

export function encodeEnrolmentItem(item: EnrolmentItem): Uint8Array {
  return encodeCbor([item.enrolment, item.vin === undefined ? [] : [item.vin.salt, item.vin.vin]]);
}

/** @throws FormatError CBOR_*, FIELD_* */
export function decodeEnrolmentItem(bytes: Uint8Array): EnrolmentItem {
  return decodeFields(bytes, 'enrolment item', (fields) => ({
    enrolment: fields.bytesUpTo('enrolment', 66 * 1024),
    vin: fields.optional('VIN', (part) => ({
      salt: part.bytes('salt', 32),
      vin: part.text('VIN', 17),
    })),
  }));
}
