/** A chunk of the spool, opened: all its leaves with what a stranger needs to check them. */
import { compareBytes } from '../../core/bytes.ts';
import type { ChunkHeader } from '../../core/chunk-header.ts';
import type { Hash } from '../../core/hash.ts';
import { type KeyWalk, leafSecrets } from '../../core/key-tree.ts';
import { encodePackedLeaf, hashOfLeaf, treeEntry } from '../../core/leaf.ts';
import { MerkleTree } from '../../core/merkle.ts';
import { leafFromPacked, openSealedLeaf } from '../../core/sealed-leaf.ts';
import type { LeafPlace, Primitives } from '../ports.ts';

export type DisclosableStream = { readonly name: string; readonly keys: KeyWalk };

export type DisclosableLeaf = {
  readonly stream: string;
  readonly handle: Uint8Array;
  readonly salt: Uint8Array;
  /** Empty when silent. */
  readonly packed: Uint8Array;
  /** As it is stored; empty when silent. */
  readonly sealed: Uint8Array;
  readonly entry: Uint8Array;
};

/** Leaves in the order of their tree, each with its place in it: all of them, but of an erased chunk those that are left. */
type LeavesInTree = {
  readonly leaves: readonly (DisclosableLeaf & { readonly index: number })[];
  readonly tree: MerkleTree;
};

export type DisclosableBlock = LeavesInTree & {
  /** COSE_Sign1 of the session that died. */
  readonly head: Uint8Array;
};

export type DisclosableChunk = LeavesInTree & {
  readonly header: ChunkHeader;
  /** Of a recovered chunk; their leaves are leaves of the chunk as well. */
  readonly blocks: readonly DisclosableBlock[];
};

/**
 * A leaf that is not silent, opened under the chunk's nonce or its block's.
 * @throws FormatError, VerificationError when what is stored is not what was sealed
 */
export function openLeaf(
  sealed: Uint8Array,
  { name, keys }: DisclosableStream,
  place: LeafPlace,
  { sha256, sha512, aead }: Primitives,
): DisclosableLeaf {
  const secrets = leafSecrets(keys.nodeOf(place.seq), place.nonce, sha512);
  const { handle, salt } = secrets;
  const packed = openSealedLeaf(sealed, place, secrets, aead);
  const hash = hashOfLeaf(leafFromPacked(name, place.seq, packed), salt, sha256);
  const entry = treeEntry(handle, hash);
  return { stream: name, handle, salt, packed: encodePackedLeaf(packed), sealed, entry };
}

export function treeOver(unsorted: readonly DisclosableLeaf[], sha256: Hash): LeavesInTree {
  const sorted = [...unsorted].sort((a, b) => compareBytes(a.entry, b.entry));
  const leaves = sorted.map((leaf, index) => ({ ...leaf, index }));
  const entries = leaves.map((leaf) => leaf.entry);
  return { leaves, tree: new MerkleTree(entries, sha256) };
}
