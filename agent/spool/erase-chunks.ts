/**
 * Makes chunks unreadable: their keys, in the unit's rows and in what is sealed to the owner, and their ciphertext.
 * Implements spec/erasure.md, "On the unit".
 */
import { closeSync, fsyncSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { equalBytes } from '../../core/bytes.ts';
import { streamsOutside } from '../../core/erasure-order.ts';
import { OperationalError, UserError } from '../../core/errors.ts';
import { sha256 } from '../../core/hash.ts';
import type { Span } from '../../core/statement.ts';
import { syncFolder } from '../folder.ts';
import type { RandomBytes } from '../ports.ts';
import { storageError } from '../storage-error.ts';
import { keepCustodyLeaves } from './custody-leaves.ts';
import { cutHolds, markErased } from './erased-chunks.ts';
import { type KeyRowsParts, rewriteKeys } from './key-rows.ts';
import { logOf, numberOf, placeOf } from './place.ts';
import type { PreparedStatements } from './prepared-statements.ts';
import { blob, integer } from './rows.ts';
import { segmentPath } from './segment-files.ts';
import type { SpoolReader } from './spool-reader.ts';
import type { Extent } from './uncovered.ts';

const NOTHING = new Uint8Array(0);

export type ReplacedSeal = {
  /** SHA-256 of what it takes the place of. */
  readonly replaces: Uint8Array;
  readonly sealed: Uint8Array;
};

export type Erasure = {
  /** Ascending, none touching another. */
  readonly spans: readonly Span[];
  /** Held chunks go too, and are held no more; those around them are. */
  readonly heldToo: boolean;
  /** By place of what is sealed to the owner: what takes its place. */
  readonly roots: ReadonlyMap<number, ReplacedSeal>;
};

/**
 * First the keys, in one transaction and under a new storage key: from then on nothing of these chunks opens, on the unit or
 * for the owner, and the index says that they are erased. Then the index is written anew, since pages of it and SQLite's log have
 * what was sealed to the owner before, and the ciphertext is written over, which only matters to whoever has an old copy of the
 * keys. A kill in between: the same order again finds its transaction committed, and goes on behind it.
 * @throws UserError as `erasureState`; OperationalError STORAGE_*, SPOOL_BUSY: the same order again goes on
 */
export function eraseChunks(
  folder: string,
  parts: KeyRowsParts,
  erasure: Erasure,
  random: RandomBytes,
): void {
  const { index, atCommitPoint } = parts;
  const extents = erasure.spans.map(extentOf);
  if (erasureState(parts, erasure) === 'new') commitErasure(parts, erasure);
  atCommitPoint('erasure-committed');
  compact(index.sql);
  for (const extent of extents) overwriteBodies(folder, parts, extent, random);
  removeDamagedJournals(folder);
  atCommitPoint('bodies-overwritten');
}

function commitErasure(parts: KeyRowsParts, { spans, roots }: Erasure): void {
  const { sql } = parts.index;
  rewriteKeys(parts, {
    keep: ({ log, streams }) => streamsOutside(streams, log, spans, parts.sha512),
    alongside: () => {
      for (const extent of spans.map(extentOf)) {
        // Before it says that the bodies are erased, and long before they are.
        keepCustodyLeaves(sql, extent, (place) => bodyAt(parts.stored, place));
        markErased(sql, extent);
        cutHolds(sql, extent);
      }
      for (const [place, { sealed }] of roots) {
        sql.run('UPDATE sealed_roots SET sealed = ? WHERE place = ?', sealed, place);
      }
    },
    onlyIfCut: false,
  });
}

/** Undefined where it is gone already. */
function bodyAt(stored: SpoolReader, place: number): Uint8Array | undefined {
  try {
    return stored.body(logOf(place), numberOf(place));
  } catch (error) {
    if (error instanceof OperationalError && error.code.startsWith('SPOOL_BODY_')) return undefined;
    throw error;
  }
}

/** Rows that were deleted by an older agent lie in free pages, too. */
function compact(sql: PreparedStatements): void {
  let isWhole: boolean;
  try {
    isWhole = sql.compact();
  } catch (cause) {
    throw storageError(cause);
  }
  if (isWhole) return;
  const message = 'another process reads the index: what is to be erased is still in its log';
  throw new OperationalError('SPOOL_BUSY', message, { retryable: true });
}

function extentOf({ log, firstSeq, count }: Span): Extent {
  return { first: placeOf(log, firstSeq), last: placeOf(log, firstSeq + count - 1) };
}

/**
 * @returns `committed`: its transaction is durable, and what is behind it may be missing
 * @throws UserError ERASURE_HELD, ERASURE_ROOTS, ERASURE_RANGE: nothing of it may be carried out
 */
export function erasureState(parts: KeyRowsParts, erasure: Erasure): 'new' | 'committed' {
  // Nothing else ever writes these very bytes: sealing is not deterministic, and a later order has other ones.
  if (isCommitted(parts, erasure)) return 'committed';
  assertRange(parts, erasure);
  assertNotHeld(parts, erasure);
  assertRoots(parts, erasure);
  return 'new';
}

/** Roots of streams that came later have rows of their own, and those were never sealed with what is erased. */
function isCommitted({ index }: KeyRowsParts, { roots }: Erasure): boolean {
  const now = sealedNow(index.sql);
  return (
    roots.size > 0 &&
    [...roots].every(([place, { sealed }]) => equalBytes(now.get(place) ?? NOTHING, sealed))
  );
}

function assertRange({ stored }: KeyRowsParts, { spans }: Erasure): void {
  for (const { log, firstSeq, count } of spans) {
    const end = stored.lastChunk(log)?.seq ?? -1;
    if (firstSeq + count - 1 <= end) continue;
    const message = `log ${log} has chunks up to ${end}: what is still to come cannot be erased`;
    throw new UserError('ERASURE_RANGE', message);
  }
}

function assertNotHeld({ stored }: KeyRowsParts, { spans, heldToo }: Erasure): void {
  const isHeld = stored.holds().some(({ log, fromSeq, toSeq }) => {
    const [first, last] = [placeOf(log, fromSeq), placeOf(log, toSeq)];
    return spans.map(extentOf).some((extent) => extent.first <= last && first <= extent.last);
  });
  if (!isHeld || heldToo) return;
  const message = 'some of these chunks are held for an event: the order must say that they go too';
  throw new UserError('ERASURE_HELD', message);
}

function assertRoots({ index }: KeyRowsParts, { spans, roots }: Erasure): void {
  const logs = new Set(spans.map(({ log }) => log));
  const ofLogs = [...sealedNow(index.sql)].filter(([place]) => logs.has(logOf(place)));
  const isAll = ofLogs.every(([place, sealed]) => {
    const replacement = roots.get(place);
    return replacement !== undefined && equalBytes(sha256(sealed), replacement.replaces);
  });
  if (isAll && ofLogs.length === roots.size) return;
  // Else what stays sealed to the owner would still open what is to be erased.
  const message = 'the order does not replace what this unit has sealed to its owner: make it anew';
  throw new UserError('ERASURE_ROOTS', message);
}

function sealedNow(sql: PreparedStatements): ReadonlyMap<number, Uint8Array> {
  const rows = sql.all('SELECT place, sealed FROM sealed_roots', []);
  return new Map(rows.map((row) => [integer(row, 'place'), blob(row, 'sealed')]));
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
