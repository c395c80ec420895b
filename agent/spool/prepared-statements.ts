/** SQL that is compiled once: compiling costs more than most of these statements take to run. */
import type Database from 'better-sqlite3';
import { asRow, type Row } from './rows.ts';

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

  /** @param setting one of the few texts of this folder */
  pragma(setting: string): void {
    this.#database.pragma(setting);
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
