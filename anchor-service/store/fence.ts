/**
 * No write of this process once another one has the lease: every insert, update and delete of every table first
 * compares the lease's term with the one that this process leads under, in the same statement and so in the
 * same transaction. Implements spec/lease.md, "Fence".
 *
 * Triggers of this connection alone do it, made for every table that there is: a store cannot forget the fence,
 * and neither can one that is written later.
 */
import type Database from 'better-sqlite3';
import { OperationalError } from '../../core/errors.ts';

export function fence(db: Database.Database, term: number): void {
  // What a function throws inside a statement ends its transaction and comes out of the store as it is.
  db.function('lease_lost', () => {
    throw leaseLost(term);
  });
  const tables = db.prepare<[], { readonly name: string }>(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'lease'",
  );
  for (const { name } of tables.all()) {
    for (const change of ['INSERT', 'UPDATE', 'DELETE']) {
      db.exec(
        `CREATE TEMP TRIGGER fence_${name}_${change} BEFORE ${change} ON main."${name}"
         WHEN (SELECT term FROM main.lease) <> ${term} BEGIN SELECT lease_lost(); END`,
      );
    }
  }
}

/** For what is no row of a table: the versions of the schema. Inside a transaction that writes. */
export function requireTerm(db: Database.Database, term: number): void {
  const row = db.prepare<[], { readonly term: number }>('SELECT term FROM lease').get();
  if (row?.term !== term) throw leaseLost(term);
}

function leaseLost(term: number): OperationalError {
  return new OperationalError(
    'LEASE_LOST',
    `another service took the lease after term ${term}: this one writes nothing more`,
    { retryable: false },
  );
}
