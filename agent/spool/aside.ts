/** Statements that a service refuses, which go behind the others. Implements spec/spool.md, "Put aside". */
import type { StatementPlace } from '../ports.ts';
import { placeOf } from './place.ts';
import type { PreparedStatements } from './prepared-statements.ts';
import { integer, type Row, text } from './rows.ts';

/** Added to the index of version 5. Triggers: a statement is forgotten, and taken after all, in several places. */
export const ASIDE_SCHEMA = `
  -- Statements that the service they are with refuses, and its code.
  CREATE TABLE aside_statement (
    place INTEGER PRIMARY KEY,
    code TEXT NOT NULL
  );
  CREATE TRIGGER aside_forgotten AFTER DELETE ON statement BEGIN
    DELETE FROM aside_statement WHERE place = old.place;
  END;
  CREATE TRIGGER aside_taken AFTER UPDATE OF acceptance, inclusion ON statement
  WHEN new.acceptance IS NOT NULL OR new.inclusion IS NOT NULL BEGIN
    DELETE FROM aside_statement WHERE place = new.place;
  END;
`;

export const NOT_ASIDE = 'place NOT IN (SELECT place FROM aside_statement)';

/** The first parameter of a search for statements behind a place. */
export function behind(place: StatementPlace | undefined): number {
  return place === undefined ? -1 : placeOf(place.log, place.seq);
}

export function codeOfAside(sql: PreparedStatements, id: Uint8Array): string | undefined {
  const query = 'SELECT code FROM aside_statement JOIN statement USING (place) WHERE id = ?';
  return sql.all(query, [id]).map((row) => text(row, 'code'))[0];
}

export function insertAside(sql: PreparedStatements, id: Uint8Array, code: string): void {
  sql.run(
    `INSERT INTO aside_statement SELECT place, ? FROM statement WHERE id = ?
     ON CONFLICT (place) DO UPDATE SET code = excluded.code`,
    code,
    id,
  );
}

export type AsideCount = { readonly code: string; readonly count: number };

/** By code. */
export function asideCounts(sql: PreparedStatements): readonly AsideCount[] {
  const query = 'SELECT code, count(*) AS count FROM aside_statement GROUP BY code ORDER BY code';
  return sql
    .all(query, [])
    .map((row: Row) => ({ code: text(row, 'code'), count: integer(row, 'count') }));
}
