/** A chunk of the spool, opened: all its leaves with what a stranger needs to check them. */
import { compareBytes } from '../../core/bytes.ts';
import type { ChunkHeader } from '../../core/chunk-header.ts';
import type { Hash } from '../../core/hash.ts';
import type { KeyTreeWalk } from '../../core/key-tree.ts';
import { MerkleTree } from '../../core/merkle.ts';

export type DisclosableStream = { readonly name: string; readonly keys: KeyTreeWalk };

export type DisclosableLeaf = {
  readonly stream: string;
  readonly handle: Uint8Array;
  readonly salt: Uint8Array;
  /** Empty when silent. */
  readonly packed: Uint8Array;
  readonly entry: Uint8Array;
};

/** Leaves in the order of their tree. */
type LeavesInTree = { readonly leaves: readonly DisclosableLeaf[]; readonly tree: MerkleTree };

export type DisclosableBlock = LeavesInTree & {
  /** COSE_Sign1 of the session that died. */
  readonly head: Uint8Array;
};

export type DisclosableChunk = LeavesInTree & {
  readonly header: ChunkHeader;
  /** Of a recovered chunk; their leaves are leaves of the chunk as well. */
  readonly blocks: readonly DisclosableBlock[];
};

export function treeOver(unsorted: readonly DisclosableLeaf[], sha256: Hash): LeavesInTree {
  const leaves = [...unsorted].sort((a, b) => compareBytes(a.entry, b.entry));
  const entries = leaves.map((leaf) => leaf.entry);
  return { leaves, tree: new MerkleTree(entries, sha256) };
}
