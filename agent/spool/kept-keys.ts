/**
 * Which seqs of a log a unit keeps the keys of, and which chunks are young enough: decisions, without a disk.
 * Implements spec/keys.md, "What the unit keeps".
 */
import type { Hash } from '../../core/hash.ts';
import { type KeyNode, nodesWithin } from '../../core/key-tree.ts';
import { MAX_SEQ } from '../../core/vehicle-log.ts';
import { logOf, numberOf } from './place.ts';
import { FIRST_KNOWN_NS } from './retention.ts';
import type { Extent } from './uncovered.ts';

/** Seqs, both ends included. */
export type SeqRange = { readonly first: number; readonly last: number };

export type LogToKeep = {
  readonly log: number;
  /** Nothing will be sealed in it any more. */
  readonly isClosed: boolean;
  /** The first seq that is not sealed. */
  readonly end: number;
};

/**
 * @param readableFrom place of the first chunk that is young enough
 * @param holds places of what is held, of whichever log
 * @returns ascending, none touching the next
 */
export function keptSeqs(
  { log, isClosed, end }: LogToKeep,
  readableFrom: number,
  holds: readonly Extent[],
): readonly SeqRange[] {
  const ranges: SeqRange[] = holds
    .filter(({ first }) => logOf(first) === log)
    .map(({ first, last }) => ({ first: numberOf(first), last: numberOf(last) }));
  const fromLog = logOf(readableFrom);
  if (fromLog < log) ranges.push({ first: 0, last: end - 1 });
  if (fromLog === log) ranges.push({ first: numberOf(readableFrom), last: end - 1 });
  if (!isClosed) ranges.push({ first: end, last: MAX_SEQ });
  return merged(ranges.filter(({ first, last }) => first <= last));
}

/** What is left of a stream's nodes: the fewest that give these seqs, as far as they gave them. */
export function keptNodes(
  nodes: readonly KeyNode[],
  seqs: readonly SeqRange[],
  sha512: Hash,
): readonly KeyNode[] {
  return seqs.flatMap(({ first, last }) => nodesWithin(nodes, first, last, sha512));
}

function merged(ranges: readonly SeqRange[]): readonly SeqRange[] {
  const all: SeqRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.first - b.first)) {
    const before = all.at(-1);
    if (before === undefined || range.first > before.last + 1) all.push(range);
    else all[all.length - 1] = { ...before, last: Math.max(before.last, range.last) };
  }
  return all;
}

const DAY_NS = 86_400_000_000_000n;

/**
 * Goes over the chunks of all logs in the order in which they were made, up to the first that is young enough. It stops
 * anywhere and goes on from there. A time that no clock can have had is not known, and such a chunk is as old as the next
 * one with a known time. A chunk behind one that is young enough is not looked at: it is not older.
 */
export class AgeScan {
  /** Place of the next chunk to look at. */
  at: number;
  /** Of chunks right before it whose time is not known: the first. */
  #unknown: number | undefined;

  constructor(at: number) {
    this.at = at;
  }

  /** The first chunk that is not known to be too old, as far as it has looked. */
  get readableFrom(): number {
    return this.#unknown ?? this.at;
  }

  /**
   * @param nowNs known to be right
   * @param sinceNs what ended before it is too old
   * @returns whether the next one is to be looked at
   */
  pass(place: number, endNs: bigint, nowNs: bigint, sinceNs: bigint): boolean {
    // A clock that ran ahead would else keep everything readable until its false time has come.
    const isKnown = endNs >= FIRST_KNOWN_NS && endNs <= nowNs + DAY_NS;
    if (isKnown && endNs >= sinceNs) {
      this.at = this.#unknown ?? place;
      this.#unknown = undefined;
      return false;
    }
    if (isKnown) this.#unknown = undefined;
    else this.#unknown ??= place;
    this.at = place + 1;
    return true;
  }
}
