/**
 * What a recovered chunk must say about its blocks: the tree over their leaves, the sums in its header, how the
 * journal ended. Implements spec/journal-block.md, "Recovered chunk". Recovery builds by it, verification
 * compares with it, so that both read the page alike.
 */
import { compareBytes } from './bytes.ts';
import { type BusCounters, type ChunkHeader, type Gap, MAX_GAPS } from './chunk-header.ts';
import { type Hash, sha256 } from './hash.ts';
import type { JournalBlock } from './journal-block.ts';
import { MerkleTree } from './merkle.ts';

/** The fields of the header that follow from the blocks alone. */
export type BlocksSummary = Pick<
  ChunkHeader,
  'monoStartNs' | 'monoEndNs' | 'wallStartNs' | 'wallEndNs' | 'buses' | 'gaps'
>;

/** @param blocks in order, at least one */
export function blocksSummary(blocks: readonly JournalBlock[]): BlocksSummary {
  const [first, last] = [blocks[0], blocks.at(-1)];
  if (first === undefined || last === undefined) throw new RangeError('expected a block');
  return {
    monoStartNs: first.monoStartNs,
    monoEndNs: last.monoEndNs,
    wallStartNs: first.wallStartNs,
    wallEndNs: last.wallEndNs,
    buses: summedLosses(blocks),
    gaps: joinedGaps(blocks.flatMap(({ gaps }) => gaps)),
  };
}

/** A block lists the part of an outage that lies in it: parts that follow on from each other are one gap. */
function joinedGaps(parts: readonly Gap[]): readonly Gap[] {
  const joined: Gap[] = [];
  // Thousands of blocks with 64 gaps each: a search back through all of them would hold a verifier up for minutes.
  const newest = new Map<string, number>();
  for (const part of parts) {
    const kind = `${part.cause} ${part.bus}`;
    const at = newest.get(kind) ?? -1;
    const before = joined[at];
    if (before?.toNs === part.fromNs) {
      joined[at] = { ...before, toNs: part.toNs };
    } else {
      newest.set(kind, joined.length);
      joined.push(part);
    }
  }
  return joined;
}

/** A bus stands where the first block that counts it puts it. */
function summedLosses(blocks: readonly JournalBlock[]): readonly BusCounters[] {
  const sums = new Map<string, BusCounters>();
  for (const counters of blocks.flatMap(({ buses }) => buses)) {
    const sum = sums.get(counters.bus);
    sums.set(counters.bus, {
      bus: counters.bus,
      kernelDrops: (sum?.kernelDrops ?? 0) + counters.kernelDrops,
      controllerOverruns: (sum?.controllerOverruns ?? 0) + counters.controllerOverruns,
      busOffs: (sum?.busOffs ?? 0) + counters.busOffs,
    });
  }
  return [...sums.values()];
}

/**
 * At most 64 gaps: where there are more, the last one stands for all that are not named.
 * Implements spec/chunk-header.md, "Bytes".
 */
export function collectedGaps(gaps: readonly Gap[]): readonly Gap[] {
  if (gaps.length <= MAX_GAPS) return gaps;
  const rest = gaps.slice(MAX_GAPS - 1);
  const [last] = rest;
  if (last === undefined) return gaps;
  // The clock may have been set back during a gap, so any of its ends may be the earliest or the latest time.
  let [fromNs, toNs] = [last.fromNs, last.toNs];
  for (const ns of rest.flatMap((gap) => [gap.fromNs, gap.toNs])) {
    if (ns < fromNs) fromNs = ns;
    if (ns > toNs) toNs = ns;
  }
  return [...gaps.slice(0, MAX_GAPS - 1), { bus: '', fromNs, toNs, cause: 'unknown' }];
}

/**
 * The chunk tree: every entry of every block, unchanged, and one presence entry for each stream of the log.
 * @param entries `handle ‖ leafHash`, of all blocks and of the presence leaves, in any order
 */
export function recoveredTree(
  entries: readonly Uint8Array[],
  hash: Hash = sha256,
): { readonly entryCount: number; readonly root: Uint8Array } {
  const root = new MerkleTree([...entries].sort(compareBytes), hash).root();
  return { entryCount: entries.length, root };
}

/** @param structures Sig_structures of the blocks' heads, in order */
export function blocksRoot(structures: readonly Uint8Array[], hash: Hash = sha256): Uint8Array {
  return new MerkleTree(structures, hash).root();
}

/**
 * How the journal of a dead session ended.
 * @param nextIndex of the first block that does not survive: one above the last that does
 * @param heads every head with a good signature of that session, wherever the journal holds it
 */
export function journalEnding(
  nextIndex: number,
  heads: readonly Pick<JournalBlock, 'durable'>[],
): 'open' | 'damaged' {
  return heads.some(({ durable }) => durable > nextIndex) ? 'damaged' : 'open';
}
