/** Chunks that the owner has had erased, as the index knows them. Implements spec/erasure.md, "On the unit". */
import type { PreparedStatements } from './prepared-statements.ts';

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
