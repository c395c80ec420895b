/**
 * Sealing and opening one leaf: packed, encrypted, and bound to the hash in the chunk tree.
 * Implements spec/leaf.md, "Sealing". AES-256-GCM comes from outside; a port of two functions.
 */
import { equalBytes } from './bytes.ts';
import { VerificationError } from './errors.ts';
import type { Hash } from './hash.ts';
import { unpackLeaf } from './inflate.ts';
import type { LeafSecrets } from './key-tree.ts';
import {
  assertLeaf,
  decodePackedLeaf,
  encodePackedLeaf,
  hashOfLeaf,
  type Leaf,
  leafAad,
  type PackedLeaf,
} from './leaf.ts';

/** AES-256-GCM with an all-zero nonce of 12 bytes and a tag of 16; every key is used once. */
export type Aead = {
  seal(key: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Uint8Array;
  /** Undefined when the tag does not match. */
  open(key: Uint8Array, ciphertext: Uint8Array, aad: Uint8Array): Uint8Array | undefined;
};

/** Raw deflate; undefined when the payload would not shrink. */
export type Deflate = (payload: Uint8Array) => Uint8Array | undefined;

/** A silent leaf is not stored: its bytes follow from its name. */
export function packLeaf(leaf: Leaf, deflate: Deflate): PackedLeaf {
  const smaller = deflate(leaf.payload);
  return smaller === undefined
    ? { count: leaf.count, inflatedLength: 0, body: leaf.payload }
    : { count: leaf.count, inflatedLength: leaf.payload.length, body: smaller };
}

export function sealPackedLeaf(
  packed: PackedLeaf,
  place: { readonly tag: Uint8Array; readonly seq: number },
  secrets: LeafSecrets,
  aead: Aead,
): Uint8Array {
  const aad = leafAad(place.tag, place.seq, secrets.handle);
  return aead.seal(secrets.key, encodePackedLeaf(packed), aad);
}

/** @throws VerificationError LEAF_SEAL; FormatError PACKED_LEAF, LEAF_* */
export function openSealedLeaf(
  sealed: Uint8Array,
  place: { readonly tag: Uint8Array; readonly seq: number },
  secrets: LeafSecrets,
  aead: Aead,
): PackedLeaf {
  const aad = leafAad(place.tag, place.seq, secrets.handle);
  const packed = aead.open(secrets.key, sealed, aad);
  if (packed === undefined) {
    throw new VerificationError('LEAF_SEAL', `a leaf of chunk ${place.seq} does not open`);
  }
  return decodePackedLeaf(packed);
}

/** The leaf that a packed one stands for. @throws FormatError INFLATE_*, LEAF_*, STREAM_ID */
export function leafFromPacked(stream: string, seq: number, packed: PackedLeaf): Leaf {
  const leaf = { stream, seq, count: packed.count, payload: unpackLeaf(packed) };
  assertLeaf(leaf);
  return leaf;
}

export function silentLeaf(stream: string, seq: number): Leaf {
  return { stream, seq, count: 0, payload: new Uint8Array(0) };
}

/** GCM does not commit to its key: what opens is believed only when its hash is the one in the tree. */
export function assertLeafHash(
  leaf: Leaf,
  salt: Uint8Array,
  expected: Uint8Array,
  hash: Hash,
): void {
  if (!equalBytes(hashOfLeaf(leaf, salt, hash), expected)) {
    throw new VerificationError(
      'LEAF_HASH_MISMATCH',
      `${leaf.stream} in chunk ${leaf.seq} is not what was sealed`,
    );
  }
}
