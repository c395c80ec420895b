/**
 * The list of a sealed window and the tree over it, read in parts: a window of a million statements takes seconds, in which
 * a process that did nothing else would answer no vehicle and lose its lease.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { joinBytes } from '../core/bytes.ts';
import type { Hash } from '../core/hash.ts';
import type { MerkleTree } from '../core/merkle.ts';
import { growWindowTree } from '../core/window.ts';
import type { PublishedWindow, WindowEntries } from './ports.ts';
import { inTurns } from './turns.ts';

/** Entries that are read at once: a few milliseconds. */
const PART = 1024;

type Listed = Pick<PublishedWindow, 'seq' | 'treeSize'>;

/** The bytes of the list, 64 for each entry, one part after the other. */
export async function* entriesInParts(
  entries: WindowEntries,
  window: Listed,
): AsyncGenerator<Uint8Array> {
  for await (const part of parts(entries, window)) yield joinBytes(part);
}

export async function readWindowTree(
  entries: WindowEntries,
  window: Listed,
  sha256: Hash,
): Promise<MerkleTree> {
  const all: Uint8Array[] = [];
  for await (const part of parts(entries, window)) all.push(...part);
  return await inTurns(growWindowTree(all, sha256));
}

/** What is sealed stays as it is, also while statements of it are pruned: every part fits to those before. */
async function* parts(
  entries: WindowEntries,
  { seq, treeSize }: Listed,
): AsyncGenerator<readonly Uint8Array[]> {
  for (let from = 0; from < treeSize; from += PART) {
    if (from > 0) await nextTurn();
    yield entries(seq, from, Math.min(PART, treeSize - from));
  }
}
