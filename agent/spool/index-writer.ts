/**
 * Writes on a disk that may be full: what found no room is tried again when something was evicted.
 * Implements spec/spool.md, "Full disk".
 */
import { isStorageFull, storageError } from '../storage-error.ts';
import type { Eviction } from './eviction.ts';
import type { PreparedStatements } from './prepared-statements.ts';

export class IndexWriter {
  readonly sql: PreparedStatements;
  readonly #eviction: Eviction;

  constructor(sql: PreparedStatements, eviction: Eviction) {
    this.sql = sql;
    this.#eviction = eviction;
  }

  /**
   * @throws OperationalError STORAGE_FULL: nothing of it is durable; another STORAGE_*: durability unknown, the
   *   caller stops
   */
  commit(work: () => void): void {
    this.withRoom(0, () => this.sql.transaction(work));
  }

  /**
   * A write that found the disk full is known not to be durable: SQLite has rolled it back, and bodies have no
   * row. So it is tried again as soon as something was evicted. A sync that failed is another error.
   */
  withRoom<T>(bytes: number, write: () => T): T {
    for (;;) {
      try {
        return write();
      } catch (cause) {
        const error = storageError(cause);
        if (!isStorageFull(error) || !this.#eviction.makeRoom(bytes)) throw error;
      }
    }
  }
}
