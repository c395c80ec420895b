/**
 * Makes chunks unreadable: their keys, in the unit's rows and in what is sealed to the owner, and their ciphertext.
 * Implements spec/erasure.md, "On the unit".
 */
import { closeSync, fsyncSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { equalBytes } from '../../core/bytes.ts';
import { seqsOutside } from '../../core/erasure-order.ts';
import { UserError } from '../../core/errors.ts';
import { sha256 } from '../../core/hash.ts';
import { nodesWithin } from '../../core/key-tree.ts';
import type { Span } from '../../core/statement.ts';
import { syncFolder } from '../folder.ts';
import type { RandomBytes, StoredStream } from '../ports.ts';
import { storageError } from '../storage-error.ts';
import { type KeyRowsParts, rewriteKeys } from './key-rows.ts';
import { logOf, placeOf } from './place.ts';
import { blob, integer } from './rows.ts';
import { segmentPath } from './segment-files.ts';
import type { Extent } from './uncovered.ts';

export type ReplacedSeal = {
  /** SHA-256 of what it takes the place of. */
  readonly replaces: Uint8Array;
  readonly sealed: Uint8Array;
};

export type Erasure = {
  /** Ascending, none touching another. */
  readonly spans: readonly Span[];
  /** Held chunks go too, and are held no more. */
  readonly heldToo: boolean;
  /** By place of what is sealed to the owner: what takes its place. */
  readonly roots: ReadonlyMap<number, ReplacedSeal>;
};

/**
 * First the keys, in one transaction and under a new storage key: from then on nothing of these chunks opens, on the unit or
 * for the owner, and the index says that they are erased. Then the ciphertext is written over, which only matters to
 * whoever has an old copy of the keys. A kill in between: the same order again finds the keys gone, and goes on.
 * @param erasure that `assertErasable` lets pass
 * @throws OperationalError STORAGE_*
 */
export function eraseChunks(
  folder: string,
  parts: KeyRowsParts,
  erasure: Erasure,
  random: RandomBytes,
): void {
  const { index, atCommitPoint } = parts;
  const extents = erasure.spans.map(extentOf);
  // What the index forgets is written over in its pages, too: it was sealed to the owner, not under the storage key.
  index.sql.pragma('secure_delete = ON');
  rewriteKeys(parts, {
    keep: ({ log, streams }) => withoutSpans(streams, log, erasure.spans, parts),
    alongside: () => {
      for (const { first, last } of extents) {
        index.sql.run('INSERT OR REPLACE INTO erased VALUES (?, ?)', first, last);
        index.sql.run('DELETE FROM hold WHERE first_chunk <= ? AND last_chunk >= ?', last, first);
      }
      for (const [place, { sealed }] of erasure.roots) {
        index.sql.run('UPDATE sealed_roots SET sealed = ? WHERE place = ?', sealed, place);
      }
    },
    onlyIfCut: false,
  });
  // SQLite's log has the pages as they were: nothing of it is left.
  index.sql.pragma('wal_checkpoint(TRUNCATE)');
  atCommitPoint('erasure-committed');
  for (const extent of extents) overwriteBodies(folder, parts, extent, random);
  removeDamagedJournals(folder);
  atCommitPoint('bodies-overwritten');
}

function extentOf({ log, firstSeq, count }: Span): Extent {
  return { first: placeOf(log, firstSeq), last: placeOf(log, firstSeq + count - 1) };
}

/** @throws UserError ERASURE_HELD, ERASURE_ROOTS, ERASURE_RANGE */
export function assertErasable(
  { stored, index }: KeyRowsParts,
  { spans, heldToo, roots }: Erasure,
): void {
  const extents = spans.map(extentOf);
  for (const { log, firstSeq, count } of spans) {
    const end = stored.lastChunk(log)?.seq ?? -1;
    if (firstSeq + count - 1 <= end) continue;
    const message = `log ${log} has chunks up to ${end}: what is still to come cannot be erased`;
    throw new UserError('ERASURE_RANGE', message);
  }
  const isHeld = stored.holds().some(({ log, fromSeq, toSeq }) => {
    const [first, last] = [placeOf(log, fromSeq), placeOf(log, toSeq)];
    return extents.some((extent) => extent.first <= last && first <= extent.last);
  });
  if (isHeld && !heldToo) {
    const message =
      'some of these chunks are held for an event: the order must say that they go too';
    throw new UserError('ERASURE_HELD', message);
  }
  const logs = new Set(spans.map(({ log }) => log));
  const ofLogs = index.sql
    .all('SELECT place, sealed FROM sealed_roots', [])
    .filter((row) => logs.has(logOf(integer(row, 'place'))));
  const isAll = ofLogs.every((row) => {
    const replacement = roots.get(integer(row, 'place'));
    const now = blob(row, 'sealed');
    // The second: a kill came behind the transaction, and the same order again.
    return (
      replacement !== undefined &&
      (equalBytes(sha256(now), replacement.replaces) || equalBytes(now, replacement.sealed))
    );
  });
  if (isAll && ofLogs.length === roots.size) return;
  // Else what stays sealed to the owner would still open what is to be erased.
  const message = 'the order does not replace what this unit has sealed to its owner: make it anew';
  throw new UserError('ERASURE_ROOTS', message);
}

function withoutSpans(
  streams: readonly StoredStream[],
  log: number,
  spans: readonly Span[],
  { sha512 }: KeyRowsParts,
): readonly StoredStream[] {
  const outside = seqsOutside(spans, log);
  return streams.map(({ name, nodes }) => ({
    name,
    nodes: outside.flatMap(({ first, last }) => nodesWithin(nodes, first, last, sha512)),
  }));
}

/** Each body where it lies; those that retention has let go of are not there. */
function overwriteBodies(
  folder: string,
  { index }: KeyRowsParts,
  { first, last }: Extent,
  random: RandomBytes,
): void {
  const rows = index.sql.all(
    `SELECT chunk.segment, offset, length FROM chunk JOIN segment ON segment.number = chunk.segment
     WHERE chunk.place BETWEEN ? AND ? AND segment.evicted = 0 ORDER BY chunk.place`,
    [first, last],
  );
  const open = new Map<number, number>();
  try {
    for (const row of rows) {
      const segment = integer(row, 'segment');
      const descriptor =
        open.get(segment) ?? openSync(segmentPath(join(folder, 'segments'), segment), 'r+');
      open.set(segment, descriptor);
      const length = integer(row, 'length');
      writeSync(descriptor, random(length), 0, length, integer(row, 'offset'));
    }
    for (const descriptor of open.values()) fsyncSync(descriptor);
  } catch (cause) {
    throw storageError(cause);
  } finally {
    for (const descriptor of open.values()) closeSync(descriptor);
  }
}

/** Copies of journals that were found damaged, whichever chunks they are of: they are for experts, and may hold these. */
function removeDamagedJournals(folder: string): void {
  const copies = readdirSync(folder).filter((name) => name.startsWith('journal-damaged'));
  for (const name of copies) rmSync(join(folder, name), { force: true });
  if (copies.length > 0) syncFolder(folder);
}
