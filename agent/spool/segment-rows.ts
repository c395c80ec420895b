/** Segments as the index knows them: which chunks lie in them, and when they ended. */
import { decodeChunkHeader } from '../../core/chunk-header.ts';
import { FormatError } from '../../core/errors.ts';
import type { PreparedStatements } from './prepared-statements.ts';
import { blob, integer, integerOrNone } from './rows.ts';
import type { Extent } from './uncovered.ts';

/** With the places of its chunks; that of the last segment ends where no chunk can be. */
export type IndexedSegment = Extent & { readonly number: number; readonly isLast: boolean };

/** @param evicted 0 or 1 */
export function segmentsOf(sql: PreparedStatements, evicted: 0 | 1): readonly IndexedSegment[] {
  const rows = sql.all(
    `SELECT number, first_chunk,
       (SELECT first_chunk FROM segment AS later WHERE later.number > segment.number
        ORDER BY later.number LIMIT 1) AS next
     FROM segment WHERE evicted = ${evicted} ORDER BY number`,
    [],
  );
  return rows.map((row) => {
    const next = integerOrNone(row, 'next');
    return {
      number: integer(row, 'number'),
      first: integer(row, 'first_chunk'),
      last: (next ?? Number.MAX_SAFE_INTEGER) - 1,
      isLast: next === undefined,
    };
  });
}

/** Of its last chunk, by the wall clock; 0 when that is not known or forgotten. */
export function endOf(sql: PreparedStatements, { first, last }: Extent): bigint {
  const [row] = sql.all(
    'SELECT header FROM chunk WHERE place BETWEEN ? AND ? ORDER BY place DESC LIMIT 1',
    [first, last],
  );
  if (row === undefined) return 0n;
  try {
    return decodeChunkHeader(blob(row, 'header')).wallEndNs;
  } catch (error) {
    // Whoever reads the chunk is told. One damaged header must not keep all others from making room.
    if (error instanceof FormatError) return 0n;
    throw error;
  }
}
