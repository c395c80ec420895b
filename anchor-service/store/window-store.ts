/** Sealing: which statements a window holds, and in which place. */
import type Database from 'better-sqlite3';
import type { OpenStatement, WindowStore } from '../ports.ts';

export function windowStore(db: Database.Database): WindowStore {
  const open = db.prepare<[number], OpenStatement>(
    `SELECT n, label, hash FROM (
       SELECT n, label, hash FROM statement WHERE window_seq IS NULL ORDER BY n LIMIT ?
     ) ORDER BY label`,
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
  return {
    openStatements: (limit) => open.all(limit),
    countUnmined: () => unmined.get()?.count ?? 0,
    lastWindow: () => last.get(),
    seal: (window, statements, sealedAtMs) => {
      db.transaction(() => {
        insert.run(window.seq, window.record, window.hash, window.treeSize, sealedAtMs);
        statements.forEach(({ n }, index) => {
          const { changes } = place.run(window.seq, index, n);
          if (changes !== 1) throw new Error(`a statement of window ${window.seq} is not open`);
        });
      }).immediate();
    },
  };
}
