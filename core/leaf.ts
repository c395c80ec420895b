/**
 * A leaf: all of one stream in one chunk, and the hash that stands for it in the chunk tree.
 * Implements spec/leaf.md.
 */
import { concatBytes } from './bytes.ts';
import { FormatError } from './errors.ts';
import { FORMAT_VERSION } from './fields.ts';
import { type Hash, sha256 } from './hash.ts';
import { RECORD } from './record-type.ts';
import { parseStreamId } from './stream.ts';
import { ByteReader, writeVarint } from './varint.ts';

export const MAX_LEAF_COUNT = 1 << 17;
export const MAX_PAYLOAD_BYTES = 16 << 20;

export type Leaf = {
  readonly stream: string;
  /** The chunk's. */
  readonly seq: number;
  /** Frames in a raw leaf, records in a records leaf, departures in the order leaf; 0 when silent. */
  readonly count: number;
  /** Canonical and uncompressed; empty when count is 0. */
  readonly payload: Uint8Array;
};

/**
 * `[type, version, stream, seq, count, payload]`: a CBOR array of six, hashed as it is.
 * By hand, since it is made for every stream in every chunk and a payload may pass the codec's cap;
 * equal to the codec's bytes (tested).
 */
export function encodeLeaf(leaf: Leaf): Uint8Array {
  return encodeLeafAfter(0, leaf);
}

/** With so many zero bytes before it. */
function encodeLeafAfter(reserved: number, leaf: Leaf): Uint8Array {
  const name = nameBytes(leaf.stream);
  const out = new Uint8Array(reserved + 3 + 5 * 4 + name.length + leaf.payload.length);
  out[reserved] = 0x86;
  out[reserved + 1] = RECORD.leaf;
  out[reserved + 2] = FORMAT_VERSION;
  let at = writeHead(out, reserved + 3, TEXT, name.length);
  out.set(name, at);
  at = writeHead(out, at + name.length, UNSIGNED, leaf.seq);
  at = writeHead(out, at, UNSIGNED, leaf.count);
  at = writeHead(out, at, BYTES, leaf.payload.length);
  out.set(leaf.payload, at);
  return out.subarray(0, at + leaf.payload.length);
}

const UNSIGNED = 0x00;
const BYTES = 0x40;
const TEXT = 0x60;

/** The shortest head of a CBOR item below 2^32. @returns the offset after it */
function writeHead(out: Uint8Array, start: number, major: number, value: number): number {
  if (value < 24) {
    out[start] = major | value;
    return start + 1;
  }
  const width = value < 0x100 ? 1 : value < 0x10000 ? 2 : 4;
  out[start] = major | (width === 4 ? 26 : 23 + width);
  for (let i = 0; i < width; i++) out[start + 1 + i] = (value >>> (8 * (width - 1 - i))) & 255;
  return start + 1 + width;
}

const names = new Map<string, Uint8Array>();
const utf8 = new TextEncoder();

/** A log has few names and each comes once a second. */
function nameBytes(name: string): Uint8Array {
  const known = names.get(name);
  if (known !== undefined) return known;
  if (names.size >= 65_536) names.clear();
  const bytes = utf8.encode(name);
  names.set(name, bytes);
  return bytes;
}

/**
 * Checks what every leaf must keep, whatever its stream.
 * @throws FormatError STREAM_ID, LEAF_COUNT, LEAF_PAYLOAD
 */
export function assertLeaf(leaf: Leaf): void {
  parseStreamId(leaf.stream);
  if (!Number.isInteger(leaf.count) || leaf.count < 0 || leaf.count > MAX_LEAF_COUNT) {
    throw new FormatError('LEAF_COUNT', `expected at most ${MAX_LEAF_COUNT}, got ${leaf.count}`);
  }
  if (
    leaf.payload.length > MAX_PAYLOAD_BYTES ||
    (leaf.count === 0) !== (leaf.payload.length === 0)
  ) {
    throw new FormatError(
      'LEAF_PAYLOAD',
      `expected a payload of at most ${MAX_PAYLOAD_BYTES} bytes exactly when the count is above zero`,
    );
  }
}

/** `SHA-256(0x00 ‖ salt ‖ leaf bytes)`. */
export function leafHash(salt: Uint8Array, leafBytes: Uint8Array, hash: Hash = sha256): Uint8Array {
  return hash(concatBytes(Uint8Array.of(0), salt, leafBytes));
}

/** The same in one piece, without a copy of the leaf: it is made for every stream in every chunk. */
export function hashOfLeaf(leaf: Leaf, salt: Uint8Array, hash: Hash = sha256): Uint8Array {
  const input = encodeLeafAfter(1 + salt.length, leaf);
  input.set(salt, 1);
  return hash(input);
}

/** What the chunk tree holds of a leaf: `handle ‖ leafHash`. */
export function treeEntry(handle: Uint8Array, hashOfLeaf: Uint8Array): Uint8Array {
  return concatBytes(handle, hashOfLeaf);
}

/** Additional data of the leaf's AES-256-GCM: it names the place, so that a leaf opens nowhere else. */
export function leafAad(tag: Uint8Array, seq: number, handle: Uint8Array): Uint8Array {
  const out = new Uint8Array(2 + 1 + tag.length + 5 + 1 + handle.length);
  out[0] = 0x84;
  out[1] = RECORD.leaf;
  let at = writeHead(out, 2, BYTES, tag.length);
  out.set(tag, at);
  at = writeHead(out, at + tag.length, UNSIGNED, seq);
  at = writeHead(out, at, BYTES, handle.length);
  out.set(handle, at);
  return out.subarray(0, at + handle.length);
}

/** A leaf's content as it is stored, encrypted or disclosed: never hashed, so that compression is free to change. */
export type PackedLeaf = {
  readonly count: number;
  /** Of the payload before compression; 0 when it is not compressed. */
  readonly inflatedLength: number;
  /** Raw deflate (RFC 1951) of the payload, or the payload. */
  readonly body: Uint8Array;
};

/** `varint count ‖ varint inflatedLength ‖ body`. */
export function encodePackedLeaf(leaf: PackedLeaf): Uint8Array {
  const out = new Uint8Array(16 + leaf.body.length);
  const start = writeVarint(out, writeVarint(out, 0, leaf.count), leaf.inflatedLength);
  out.set(leaf.body, start);
  return out.subarray(0, start + leaf.body.length);
}

/** A silent leaf has no packed form. @throws FormatError PACKED_LEAF, LEAF_COUNT, LEAF_PAYLOAD */
export function decodePackedLeaf(bytes: Uint8Array): PackedLeaf {
  const reader = new ByteReader(bytes, 'PACKED_LEAF');
  const count = reader.varint();
  const inflatedLength = reader.varint();
  if (count < 1 || count > MAX_LEAF_COUNT) {
    throw new FormatError('LEAF_COUNT', `expected 1 to ${MAX_LEAF_COUNT}, got ${count}`);
  }
  const body = reader.take(reader.remaining);
  const longest = Math.max(inflatedLength, body.length);
  if (body.length === 0 || longest > MAX_PAYLOAD_BYTES) {
    throw new FormatError(
      'LEAF_PAYLOAD',
      `expected 1 to ${MAX_PAYLOAD_BYTES} bytes, got ${longest}`,
    );
  }
  return { count, inflatedLength, body };
}
