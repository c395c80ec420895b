/**
 * Custody records outlive the erasure of the chunk that holds them: the entries of its tree, which are kept from the commit on, since
 * later nobody but the owner could make them again, and from an erasure on the sealed leaves of its custody streams.
 * Implements spec/spool.md, "Custody leaves"; spec/erasure.md, "Custody".
 */
import { decodeChunkBody, encodeChunkBody } from '../../core/chunk-body.ts';
import { FormatError } from '../../core/errors.ts';
import { MAX_SEQ } from '../../core/vehicle-log.ts';
import type { CustodyOfErased } from '../ports.ts';
import { logOf, numberOf, placeOf } from './place.ts';
import type { PreparedStatements } from './prepared-statements.ts';
import { blob, blobOrNone, integer } from './rows.ts';
import type { Extent } from './uncovered.ts';

/** Added to the index of version 9. */
export const CUSTODY_LEAVES_SCHEMA = `
  -- Chunks that hold custody records. entries: of the whole tree, in its order. leaves: a chunk body with those of custody
  -- streams alone, once the chunk was erased.
  CREATE TABLE custody_chunk (
    place INTEGER PRIMARY KEY,
    entries BLOB NOT NULL,
    leaves BLOB
  );
`;

/** In the transaction of the chunk. */
export function insertEntries(sql: PreparedStatements, place: number, entries: Uint8Array): void {
  sql.run('INSERT INTO custody_chunk VALUES (?, ?, NULL)', place, entries);
}

/**
 * Before the bodies are overwritten, in the transaction that takes the keys. Which streams are of custody the ends of their chains say:
 * their names may be sealed.
 * @param bodyOf undefined where retention has let go of it
 */
export function keepCustodyLeaves(
  sql: PreparedStatements,
  { first, last }: Extent,
  bodyOf: (place: number) => Uint8Array | undefined,
): void {
  const waiting = 'SELECT place FROM custody_chunk WHERE leaves IS NULL AND place BETWEEN ? AND ?';
  for (const row of sql.all(waiting, [first, last])) {
    const place = integer(row, 'place');
    const body = bodyOf(place);
    if (body === undefined) continue;
    const ordinals = custodyOrdinals(sql, logOf(place));
    const leaves = sealedIn(body).filter(({ ordinal }) => ordinals.has(ordinal));
    sql.run('UPDATE custody_chunk SET leaves = ? WHERE place = ?', encodeChunkBody(leaves), place);
  }
}

/** What was changed on the disk is no custody any more, and must not keep the rest from being erased. */
function sealedIn(body: Uint8Array): ReturnType<typeof decodeChunkBody> {
  try {
    return decodeChunkBody(body);
  } catch (error) {
    if (error instanceof FormatError) return [];
    throw error;
  }
}

function custodyOrdinals(sql: PreparedStatements, log: number): ReadonlySet<number> {
  const rows = sql.all('SELECT place FROM custody_end WHERE place BETWEEN ? AND ?', [
    placeOf(log, 0),
    placeOf(log, MAX_SEQ),
  ]);
  return new Set(rows.map((row) => numberOf(integer(row, 'place'))));
}

export function custodyOfErased(
  sql: PreparedStatements,
  place: number,
): CustodyOfErased | undefined {
  const [row] = sql.all('SELECT entries, leaves FROM custody_chunk WHERE place = ?', [place]);
  const body = row && blobOrNone(row, 'leaves');
  return body === undefined || row === undefined
    ? undefined
    : { entries: blob(row, 'entries'), body };
}

/** With the bodies of these chunks. */
export function dropCustodyLeaves(sql: PreparedStatements, segment: number): void {
  sql.run(
    'DELETE FROM custody_chunk WHERE place IN (SELECT place FROM chunk WHERE segment = ?)',
    segment,
  );
}
