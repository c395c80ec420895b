/** Statements that have not come although a later one of their log has. Written within the intake's transaction. */
import type Database from 'better-sqlite3';
import type { IntakeStore, MissingStatements } from '../ports.ts';

type Place = [Uint8Array, Uint8Array, number, number];

export function missingStore(
  db: Database.Database,
): Pick<IntakeStore, 'insertMissing' | 'removeMissing' | 'missingOf'> {
  const insert = db.prepare<[...Place, number, number]>(
    `INSERT INTO missing_statements (tag, device_key_id, epoch, log, first, last)
     VALUES (?, ?, ?, ?, ?, ?)`,
  );
  const around = db.prepare<[...Place, number], { readonly first: number; readonly last: number }>(
    `SELECT first, last FROM missing_statements
     WHERE tag = ? AND device_key_id = ? AND epoch = ? AND log = ? AND first <= ?
     ORDER BY first DESC LIMIT 1`,
  );
  const remove = db.prepare<[...Place, number]>(
    `DELETE FROM missing_statements
     WHERE tag = ? AND device_key_id = ? AND epoch = ? AND log = ? AND first = ?`,
  );
  const newest = db.prepare<[Uint8Array, Uint8Array, number, number], MissingStatements>(
    `SELECT log, first, last FROM missing_statements
     WHERE tag = ? AND device_key_id = ? AND epoch = ? ORDER BY log DESC, first DESC LIMIT ?`,
  );
  return {
    insertMissing: ({ tag, deviceKeyId, epoch }, { log, first, last }) => {
      insert.run(tag, deviceKeyId, epoch, log, first, last);
    },
    removeMissing: ({ tag, deviceKeyId, epoch }, log, seq) => {
      const place: Place = [tag, deviceKeyId, epoch, log];
      const hole = around.get(...place, seq);
      if (hole === undefined || hole.last < seq) return;
      remove.run(...place, hole.first);
      if (hole.first < seq) insert.run(...place, hole.first, seq - 1);
      if (hole.last > seq) insert.run(...place, seq + 1, hole.last);
    },
    missingOf: ({ tag, deviceKeyId, epoch }, limit) => newest.all(tag, deviceKeyId, epoch, limit),
  };
}
