/**
 * What the index of a spool says about the unit's health. Needs no key, changes nothing, and reads beside a
 * running agent or without one.
 */
import { decodeChunkHeader } from '../../core/chunk-header.ts';
import { storageError } from '../storage-error.ts';
import { type AsideCount, asideCounts, NOT_ASIDE } from './aside.ts';
import { openIndexForReading } from './index-database.ts';
import { logOf, numberOf } from './place.ts';
import { PreparedStatements } from './prepared-statements.ts';
import { blob, integerOrNone } from './rows.ts';

export type SpoolFacts = {
  /** Of bodies that are still there. */
  readonly bodyBytes: number;
  readonly heldBytes: number;
  readonly holdCount: number;
  /** Start of the oldest chunk whose body is still there. */
  readonly oldestMs: number | undefined;
  readonly lastChunk: ChunkFact | undefined;
  /** The last chunk that a receipt covers. */
  readonly lastAnchored: ChunkFact | undefined;
  readonly unaccepted: number;
  readonly unreceipted: number;
  /** Statements that a service refuses, by its code; among none of the two above. */
  readonly aside: readonly AsideCount[];
};

export type ChunkFact = { readonly log: number; readonly seq: number; readonly endMs: number };

/** @throws UserError SPOOL_MISSING; OperationalError STORAGE_*, SPOOL_*; FormatError */
export function readSpoolFacts(folder: string): SpoolFacts {
  const database = openIndexForReading(folder);
  try {
    return factsOf(new PreparedStatements(database));
  } catch (cause) {
    throw storageError(cause);
  } finally {
    database.close();
  }
}

const KEPT = 'chunk.segment NOT IN (SELECT number FROM segment WHERE evicted = 1)';
const HELD = 'EXISTS (SELECT 1 FROM hold WHERE chunk.place BETWEEN first_chunk AND last_chunk)';
const ANCHORED = `SELECT max(first_chunk + count - 1) AS place FROM span
  JOIN statement ON statement.place = span.statement WHERE inclusion IS NOT NULL`;

function factsOf(sql: PreparedStatements): SpoolFacts {
  const one = (text: string) => sql.all(text, [])[0] ?? {};
  const number = (text: string) => integerOrNone(one(`SELECT (${text}) AS number`), 'number');
  const oldest = number(`SELECT min(place) FROM chunk WHERE ${KEPT}`);
  return {
    bodyBytes: number(`SELECT sum(length) FROM chunk WHERE ${KEPT}`) ?? 0,
    heldBytes: number(`SELECT sum(length) FROM chunk WHERE ${KEPT} AND ${HELD}`) ?? 0,
    holdCount: number('SELECT count(*) FROM hold') ?? 0,
    oldestMs: oldest === undefined ? undefined : timesOf(sql, oldest)?.startMs,
    lastChunk: chunkFact(sql, number('SELECT max(place) FROM chunk')),
    lastAnchored: chunkFact(sql, integerOrNone(one(ANCHORED), 'place')),
    unaccepted:
      number(
        `SELECT count(*) FROM statement WHERE acceptance IS NULL AND inclusion IS NULL AND ${NOT_ASIDE}`,
      ) ?? 0,
    unreceipted:
      number('SELECT count(*) FROM statement WHERE acceptance IS NOT NULL AND inclusion IS NULL') ??
      0,
    aside: asideCounts(sql),
  };
}

function chunkFact(sql: PreparedStatements, place: number | undefined): ChunkFact | undefined {
  if (place === undefined) return undefined;
  const times = timesOf(sql, place);
  return times && { log: logOf(place), seq: numberOf(place), endMs: times.endMs };
}

function timesOf(sql: PreparedStatements, place: number) {
  const [row] = sql.all('SELECT header FROM chunk WHERE place = ?', [place]);
  if (row === undefined) return undefined;
  const { wallStartNs, wallEndNs } = decodeChunkHeader(blob(row, 'header'));
  return { startMs: Number(wallStartNs / 1_000_000n), endMs: Number(wallEndNs / 1_000_000n) };
}
