/** Chunks that the owner has had erased, as the index knows them. Implements spec/erasure.md, "On the unit". */
import type { PreparedStatements } from './prepared-statements.ts';
import { integer, text } from './rows.ts';
import type { Extent } from './uncovered.ts';

/** Places of the first and the last chunk; kept for good, since it says why a body makes no sense. */
export const ERASED_SCHEMA = `
  CREATE TABLE erased (
    first_chunk INTEGER PRIMARY KEY,
    last_chunk INTEGER NOT NULL
  );
`;

export function isErased(sql: PreparedStatements, place: number): boolean {
  const found = 'SELECT 1 FROM erased WHERE first_chunk <= ? AND last_chunk >= ? LIMIT 1';
  return sql.all(found, [place, place]).length > 0;
}

/** In the transaction that takes their keys. What was erased before stays so, whatever is erased over a part of it. */
export function markErased(sql: PreparedStatements, { first, last }: Extent): void {
  const overlap = 'FROM erased WHERE first_chunk <= ? AND last_chunk >= ?';
  const rows = sql.all(`SELECT first_chunk, last_chunk ${overlap}`, [last, first]);
  sql.run(`DELETE ${overlap}`, last, first);
  sql.run(
    'INSERT INTO erased VALUES (?, ?)',
    Math.min(first, ...rows.map((row) => integer(row, 'first_chunk'))),
    Math.max(last, ...rows.map((row) => integer(row, 'last_chunk'))),
  );
}

/** In the same transaction: of each hold what lies outside of the extent stays held, for the same reason. */
export function cutHolds(sql: PreparedStatements, { first, last }: Extent): void {
  const overlap = 'SELECT * FROM hold WHERE first_chunk <= ? AND last_chunk >= ?';
  for (const row of sql.all(overlap, [last, first])) {
    sql.run('DELETE FROM hold WHERE number = ?', integer(row, 'number'));
    const rest: readonly Extent[] = [
      { first: integer(row, 'first_chunk'), last: first - 1 },
      { first: last + 1, last: integer(row, 'last_chunk') },
    ];
    for (const extent of rest.filter((one) => one.first <= one.last)) {
      const insert = 'INSERT INTO hold (first_chunk, last_chunk, reason) VALUES (?, ?, ?)';
      sql.run(insert, extent.first, extent.last, text(row, 'reason'));
    }
  }
}
