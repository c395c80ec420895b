/**
 * Forgets chunks whose bodies were evicted and that are too old even for their headers, with the statements
 * over them. Implements spec/spool.md, "Retention".
 */
import { MAX_SEQ } from '../../core/vehicle-log.ts';
import type { AtCommitPoint } from '../ports.ts';
import { dropUnusedHops } from './link-rows.ts';
import { logOf, numberOf, placeOf } from './place.ts';
import type { PreparedStatements } from './prepared-statements.ts';
import { isTooOld, knownEnds } from './retention.ts';
import { blob, integer, integerOrNone } from './rows.ts';
import { endOf, segmentsOf } from './segment-rows.ts';
import type { Extent } from './uncovered.ts';

/** Of one commit: about half a day of chunks. */
const STATEMENTS_AT_ONCE = 512;

/**
 * A statement goes with all its chunks or not at all, since the headers of all prove each. It stays while it
 * has no receipt, while one of its chunks is younger, and while it is the last of its log that the service has
 * accepted: by that one a disk that was set back is told.
 */
export function forgetHistory(
  sql: PreparedStatements,
  maxAgeDays: number,
  nowNs: bigint,
  atCommitPoint: AtCommitPoint,
): void {
  for (const extent of oldExtents(sql, maxAgeDays, nowNs)) {
    const statements = forgettable(sql, extent);
    for (let from = 0; from < statements.length; from += STATEMENTS_AT_ONCE) {
      const portion = statements.slice(from, from + STATEMENTS_AT_ONCE);
      // A kill before it: the next round forgets the same. A statement and its chunks go together.
      sql.transaction(() => {
        for (const statement of portion) forget(sql, statement);
        dropUnused(sql);
        dropUnusedHops(sql);
      });
      atCommitPoint('history-forgotten');
    }
  }
}

/** Chunks of neighbouring segments that were evicted and are too old, as one extent. */
function oldExtents(sql: PreparedStatements, maxAgeDays: number, nowNs: bigint): readonly Extent[] {
  const segments = segmentsOf(sql, 1).map((segment) => ({
    ...segment,
    endNs: endOf(sql, segment),
  }));
  const ends = knownEnds(segments);
  const extents: Extent[] = [];
  segments.forEach(({ first, last }, i) => {
    if (!isTooOld(ends[i], maxAgeDays, nowNs)) return;
    const before = extents.at(-1);
    if (before?.last === first - 1) extents[extents.length - 1] = { first: before.first, last };
    else extents.push({ first, last });
  });
  return extents;
}

/** Places of statements whose spans all lie in the extent. */
function forgettable(sql: PreparedStatements, { first, last }: Extent): readonly number[] {
  return sql
    .all(
      `SELECT DISTINCT statement.place FROM span JOIN statement ON statement.place = span.statement
       WHERE span.first_chunk BETWEEN ? AND ? AND statement.inclusion IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM span AS other WHERE other.statement = statement.place
           AND (other.first_chunk < ? OR other.first_chunk + other.count - 1 > ?))`,
      [first, last, first, last],
    )
    .map((row) => integer(row, 'place'))
    .filter((place) => isFollowed(sql, place));
}

/** By a statement of its log that the service has taken as well. */
function isFollowed(sql: PreparedStatements, place: number): boolean {
  const later = sql.all(
    `SELECT 1 FROM statement WHERE place > ? AND place <= ?
       AND (acceptance IS NOT NULL OR inclusion IS NOT NULL) LIMIT 1`,
    [place, placeOf(logOf(place), MAX_SEQ)],
  );
  return later.length > 0;
}

function forget(sql: PreparedStatements, statement: number): void {
  const [row] = sql.all('SELECT window_hash FROM statement WHERE place = ?', [statement]);
  for (const span of sql.all('SELECT first_chunk, count FROM span WHERE statement = ?', [
    statement,
  ])) {
    const first = integer(span, 'first_chunk');
    sql.run(
      'DELETE FROM chunk WHERE place BETWEEN ? AND ?',
      first,
      first + integer(span, 'count') - 1,
    );
  }
  sql.run('DELETE FROM span WHERE statement = ?', statement);
  sql.run('DELETE FROM statement WHERE place = ?', statement);
  if (row === undefined || row['window_hash'] === null) return;
  sql.run(
    `DELETE FROM anchored_window WHERE hash = ?
       AND NOT EXISTS (SELECT 1 FROM statement WHERE window_hash = anchored_window.hash)`,
    blob(row, 'window_hash'),
  );
}

/** Sessions and segments before the first row that needs one: later ones go when they are reached. Stamps of no window. */
function dropUnused(sql: PreparedStatements): void {
  sql.run(
    `DELETE FROM time_stamp WHERE NOT EXISTS
       (SELECT 1 FROM stamped_window WHERE stamp = time_stamp.number)`,
  );
  for (const log of sql.all('SELECT number FROM log', []).map((row) => integer(row, 'number'))) {
    const ends = [placeOf(log, 0), placeOf(log, MAX_SEQ)] as const;
    const needed = ['chunk', 'statement'].map((table) => {
      const text = `SELECT session FROM ${table} WHERE place BETWEEN ? AND ? ORDER BY place LIMIT 1`;
      const [row] = sql.all(text, ends);
      return row === undefined ? ends[1] : integer(row, 'session');
    });
    // The newest session stays: the next one counts on from it.
    const newest = sql.all(
      'SELECT max(place) AS place FROM session WHERE place BETWEEN ? AND ?',
      ends,
    );
    const last = newest[0] && integerOrNone(newest[0], 'place');
    const before = Math.min(...needed, last ?? ends[1]);
    if (numberOf(before) > 0) {
      sql.run('DELETE FROM session WHERE place BETWEEN ? AND ?', ends[0], before - 1);
    }
  }
  const [row] = sql.all('SELECT segment FROM chunk ORDER BY place LIMIT 1', []);
  if (row !== undefined) {
    sql.run('DELETE FROM segment WHERE evicted = 1 AND number < ?', integer(row, 'segment'));
  }
}
