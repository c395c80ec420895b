/** Sealing: which statements a window holds, and in which place. */
import type Database from 'better-sqlite3';
import type { OpenStatement, WindowStore } from '../ports.ts';
import type { GroupSync } from './group-sync.ts';

export function windowStore(db: Database.Database, group: GroupSync): WindowStore {
  const open = db.prepare<[number, number], OpenStatement>(
    'SELECT n, label, hash FROM statement WHERE window_seq IS NULL AND n > ? ORDER BY n LIMIT ?',
  );
  const unmined = db.prepare<[], { readonly count: number }>(
    "SELECT count(*) AS count FROM window WHERE state IN ('SEALED', 'SIGNED', 'SENT')",
  );
  const last = db.prepare<[], { readonly seq: number; readonly hash: Uint8Array }>(
    'SELECT seq, hash FROM window ORDER BY seq DESC LIMIT 1',
  );
  const insert = db.prepare(
    `INSERT INTO window (seq, record, hash, tree_size, sealed_at_ms, state)
     VALUES (?, ?, ?, ?, ?, 'SEALED')`,
  );
  const place = db.prepare(
    'UPDATE statement SET window_seq = ?, window_index = ? WHERE n = ? AND window_seq IS NULL',
  );
  const recordless = db.prepare<[number], { readonly n: number }>(
    'SELECT n FROM statement WHERE window_seq > (SELECT coalesce(max(seq), -1) FROM window) LIMIT ?',
  );
  const reopen = db.prepare(
    'UPDATE statement SET window_seq = NULL, window_index = NULL WHERE n = ?',
  );
  return {
    openStatements: (afterN, limit) => open.all(afterN, limit),
    countUnmined: () => unmined.get()?.count ?? 0,
    lastWindow: () => last.get(),
    // On the disk before the next part is written, though only `seal` gives them a meaning: what a vehicle waits for is synced
    // in the same file, and would wait for all that was written before it.
    place: async (seq, places) => {
      await group.commit(() => {
        for (const { n, index } of places) {
          const { changes } = place.run(seq, index, n);
          if (changes !== 1) throw new Error(`a statement of window ${seq} is not open`);
        }
      });
    },
    takeBack: async (limit) =>
      await group.commit(() => {
        const rows = recordless.all(limit);
        for (const { n } of rows) reopen.run(n);
        return rows.length;
      }),
    seal: ({ seq, record, hash, treeSize }, sealedAtMs) => {
      insert.run(seq, record, hash, treeSize, sealedAtMs);
    },
  };
}
