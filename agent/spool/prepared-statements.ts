/** SQL that is compiled once: compiling costs more than most of these statements take to run. */
import type Database from 'better-sqlite3';
import { asRow, integer, type Row } from './rows.ts';

type Parameter = number | string | Uint8Array | null;

export class PreparedStatements {
  readonly #database: Database.Database;
  readonly #bySql = new Map<string, Database.Statement>();
  readonly #inTransaction: (work: () => void) => void;

  constructor(database: Database.Database) {
    this.#database = database;
    this.#inTransaction = database.transaction((work: () => void) => work());
  }

  all(sql: string, parameters: readonly Parameter[]): readonly Row[] {
    return this.#prepared(sql)
      .all(...parameters)
      .map(asRow);
  }

  /** @returns the number of the row that an INSERT made */
  run(sql: string, ...parameters: readonly Parameter[]): number {
    return Number(this.#prepared(sql).run(...parameters).lastInsertRowid);
  }

  /** The whole file anew, without free pages, and SQLite's log emptied into it. @returns whether all of the log could be */
  compact(): boolean {
    this.#database.exec('VACUUM');
    const [result] = this.#database.pragma('wal_checkpoint(TRUNCATE)') as readonly unknown[];
    return integer(asRow(result), 'busy') === 0;
  }

  /** All or nothing, and durable when it returns. */
  transaction(work: () => void): void {
    this.#inTransaction(work);
  }

  /** @param sql one of the few texts of this folder, never one with values in it */
  #prepared(sql: string): Database.Statement {
    const known = this.#bySql.get(sql);
    if (known !== undefined) return known;
    const prepared = this.#database.prepare(sql);
    this.#bySql.set(sql, prepared);
    return prepared;
  }
}
