/**
 * What a package has of one chunk: leaves of the granted streams as they are stored, with their proof.
 * Implements spec/package.md, "Items".
 */
import { encodeSealedChunkItem } from '../../core/package.ts';
import type { DisclosableChunk } from './disclosable-chunk.ts';
import { blockItem, indexesOf } from './opened-leaves.ts';

/** The rest of the chunk is forgotten: a range may have a million of them. */
export type ReleasedLeaves = {
  readonly log: number;
  readonly seq: number;
  readonly proof: readonly Uint8Array[];
  readonly leaves: readonly {
    readonly index: number;
    readonly stream: string;
    readonly sealed: Uint8Array;
  }[];
  /** Of a recovered chunk: every block. */
  readonly blocks: readonly Uint8Array[];
};

/** @returns undefined when none of the granted streams has a leaf in the chunk yet */
export function releasedLeaves(
  chunk: DisclosableChunk,
  granted: ReadonlySet<string>,
): ReleasedLeaves | undefined {
  const leaves = chunk.leaves.flatMap(({ stream, sealed, index }) =>
    granted.has(stream) ? { index, stream, sealed } : [],
  );
  if (leaves.length === 0) return undefined;
  const { log, seq } = chunk.header;
  const indexes = indexesOf(chunk);
  return {
    log,
    seq,
    proof: chunk.tree.multiProof(leaves.map(({ index }) => index)),
    leaves,
    blocks: chunk.blocks.map((block) => blockItem(block, granted, indexes)),
  };
}

/** @param places of the streams in the section `streams` */
export function sealedChunkItem(
  { log, seq, proof, leaves }: ReleasedLeaves,
  places: ReadonlyMap<string, number>,
): Uint8Array {
  const placed = leaves.map(({ index, stream, sealed }) => {
    const place = places.get(stream);
    if (place === undefined) throw new RangeError(`no place for ${stream}`);
    return { index, stream: place, sealed };
  });
  return encodeSealedChunkItem({ log, seq, proof, leaves: placed });
}
