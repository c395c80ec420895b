/**
 * What a bundle shows of one opened chunk: leaves of the chosen streams with their proofs, and all its blocks.
 * Implements spec/bundle.md, "Items", and spec/journal-block.md, "In a bundle".
 */
import { encodeBlockItem, encodeOpenedChunk } from '../../core/bundle-items.ts';
import { toHex } from '../../core/bytes.ts';
import type { DisclosableBlock, DisclosableChunk, DisclosableLeaf } from './disclosable-chunk.ts';

export type OpenedLeaves = {
  readonly item: Uint8Array;
  /** Of a recovered chunk: every block, whichever streams are chosen, since one root binds them all. */
  readonly blocks: readonly Uint8Array[];
};

/**
 * @param places of the chosen streams in the section `streams`
 * @returns undefined when none of them has a leaf in this chunk yet
 */
export function openedLeaves(
  chunk: DisclosableChunk,
  places: ReadonlyMap<string, number>,
): OpenedLeaves | undefined {
  const leaves = chunk.leaves.flatMap(({ stream, handle, salt, packed, index }) => {
    const place = places.get(stream);
    return place === undefined ? [] : { index, stream: place, handle, salt, packed };
  });
  if (leaves.length === 0) return undefined;
  const { log, seq } = chunk.header;
  const proof = chunk.tree.multiProof(leaves.map((leaf) => leaf.index));
  const indexes = indexesOf(chunk);
  return {
    item: encodeOpenedChunk({ log, seq, proof, leaves }),
    blocks: chunk.blocks.map((block) => blockItem(block, places, indexes)),
  };
}

/** @param shown streams whose leaves the bundle or package has */
export function blockItem(
  { head, leaves, tree }: DisclosableBlock,
  shown: { has(stream: string): boolean },
  indexes: ReadonlyMap<string, number>,
): Uint8Array {
  const named = leaves.flatMap((leaf) => {
    const indexInBlock = leaf.index;
    const indexInChunk = indexes.get(nameOf(leaf));
    return indexInChunk === undefined || !shown.has(leaf.stream)
      ? []
      : [{ indexInBlock, indexInChunk }];
  });
  const proof =
    named.length === 0 ? [] : tree.multiProof(named.map(({ indexInBlock }) => indexInBlock));
  return encodeBlockItem({ block: head, leaves: named, proof });
}

/** Where the leaves of blocks stand in the chunk. */
export function indexesOf({ leaves, blocks }: DisclosableChunk): ReadonlyMap<string, number> {
  if (blocks.length === 0) return new Map();
  return new Map(leaves.map((leaf) => [nameOf(leaf), leaf.index]));
}

/** Handles differ: each comes from the key of its stream and the nonce of its chunk or block. */
function nameOf({ handle }: DisclosableLeaf): string {
  return toHex(handle);
}
