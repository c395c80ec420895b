/** How far windows are, as the store has it: read beside a service that runs. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { toHex } from '../../core/bytes.ts';

export type StoreState = {
  /** How many windows are in each state. */
  readonly windows: ReadonlyMap<string, number>;
  /** Raw transactions for windows, 0x and hexadecimal, in the order of their signing. */
  readonly attempts: readonly string[];
};

export function readStore(dataDir: string): StoreState {
  const db = new Database(join(dataDir, 'anchor-service.sqlite'), { readonly: true });
  try {
    const windows = db
      .prepare<[], { state: string; count: number }>(
        'SELECT state, count(*) AS count FROM window GROUP BY state',
      )
      .all();
    const attempts = db
      .prepare<[], { raw: Uint8Array }>(
        `SELECT raw FROM attempt JOIN nonce USING (sender, nonce)
         WHERE window_seq IS NOT NULL ORDER BY n`,
      )
      .all();
    return {
      windows: new Map(windows.map(({ state, count }) => [state, count])),
      attempts: attempts.map(({ raw }) => `0x${toHex(raw)}`),
    };
  } finally {
    db.close();
  }
}
