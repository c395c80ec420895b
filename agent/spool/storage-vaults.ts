/** The vault of the storage key that is in force: with every round of forgetting another (spec/spool.md, "Forgetting keys"). */
import type { Primitives, StorageKeys } from '../ports.ts';
import type { PreparedStatements } from './prepared-statements.ts';
import { integer, type Row } from './rows.ts';
import { StreamVault } from './stream-vault.ts';

/** A round makes one generation; a reader that is slow may see a few of them pass. */
const MOST_ATTEMPTS = 10;

export class StorageVaults {
  readonly #keys: Pick<StorageKeys, 'read'>;
  readonly #primitives: Primitives;
  #newest: { readonly generation: number; readonly vault: StreamVault } | undefined;

  constructor(keys: Pick<StorageKeys, 'read'>, primitives: Primitives) {
    this.#keys = keys;
    this.#primitives = primitives;
  }

  /** @throws UserError KEY_FILE_* */
  of(generation: number): StreamVault {
    if (this.#newest?.generation !== generation) {
      const vault = new StreamVault(this.#keys.read(generation), this.#primitives);
      this.#newest = { generation, vault };
    }
    return this.#newest.vault;
  }

  /**
   * Rows, and the vault of their generation, both of one moment. Beside an agent the key may be destroyed between the
   * two: then the index has another generation by now, and is read again.
   * @throws UserError KEY_FILE_*; OperationalError STORAGE_KEY_WRONG
   */
  open<T>(
    sql: PreparedStatements,
    read: () => readonly Row[],
    openRow: (vault: StreamVault, row: Row) => T,
  ): readonly T[] {
    for (let attempt = 1; ; attempt++) {
      let generation = 0;
      let rows: readonly Row[] = [];
      sql.transaction(() => {
        generation = generationOf(sql);
        rows = read();
      });
      try {
        return rows.map((row) => openRow(this.of(generation), row));
      } catch (error) {
        if (attempt === MOST_ATTEMPTS || generationOf(sql) === generation) throw error;
      }
    }
  }
}

export function generationOf(sql: PreparedStatements): number {
  const [row] = sql.all('SELECT generation FROM forgetting', []);
  return integer(row ?? {}, 'generation');
}
