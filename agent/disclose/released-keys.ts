/**
 * The secrets of a package: for each stream the nodes of exactly the chunks of which its leaves are released. None for a
 * chunk that is to come, and none for one whose leaves are gone. Implements spec/keys.md, "A range of seqs".
 */
import type { Hash } from '../../core/hash.ts';
import { type KeyNode, nodesWithin } from '../../core/key-tree.ts';
import type { KeyNodesItem } from '../../core/package.ts';
import { runsOf } from '../../core/seq-runs.ts';

export type KeptStream = {
  readonly name: string;
  /** Ascending; none covers what another covers. */
  readonly nodes: readonly KeyNode[];
};

export type ReleasedNames = {
  readonly log: number;
  readonly seq: number;
  readonly leaves: readonly { readonly stream: string }[];
};

/**
 * @param streams of the log
 * @param released of any log, in it ascending by seq
 * @param places of the released streams in the section `streams`
 * @returns ascending by place
 */
export function keyNodesOf(
  log: number,
  streams: readonly KeptStream[],
  released: readonly ReleasedNames[],
  places: ReadonlyMap<string, number>,
  sha512: Hash,
): readonly KeyNodesItem[] {
  const seqs = new Map<string, Set<number>>();
  for (const row of released) {
    if (row.log !== log) continue;
    for (const { stream } of row.leaves) {
      const own = seqs.get(stream) ?? new Set();
      seqs.set(stream, own.add(row.seq));
    }
  }
  return streams
    .flatMap(({ name, nodes: kept }) => {
      const stream = places.get(name);
      const runs = runsOf(seqs.get(name) ?? []);
      const nodes = runs.flatMap(({ first, last }) => nodesWithin(kept, first, last, sha512));
      return stream === undefined || nodes.length === 0 ? [] : { log, stream, nodes };
    })
    .sort((a, b) => a.stream - b.stream);
}
