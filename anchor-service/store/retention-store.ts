/**
 * Takes statements that are long RECEIPTED out of the store: the last state of a statement, PRUNED. Implements spec/uplink.md, "Kept no longer".
 *
 * What stays, since something still rests on it: the newest statement of each device key, which a vehicle is shown
 *; the first statement of each fork proof; one whose receipt is owed again. Of all others
 * there stay the place in the log, the entry in the window's list, and the id while its group commit has others.
 */
import type Database from 'better-sqlite3';
import { concatBytes } from '../../core/bytes.ts';
import { unverifiedPayload } from '../../core/cose.ts';
import { decodeStatement } from '../../core/statement.ts';
import type { RetentionStore, WindowPlace } from '../ports.ts';
import { type PlaceInLog, prunedPlaces } from './pruned-places.ts';

type PlaceRow = { readonly window_seq: number; readonly window_index: number };
type StatementRow = {
  readonly n: number;
  readonly id: Uint8Array;
  readonly label: Uint8Array;
  readonly hash: Uint8Array;
  readonly bytes: Uint8Array;
  readonly acceptance: number;
};

export function retentionStore(db: Database.Database): RetentionStore {
  const next = db.prepare<[number, number], PlaceRow>(
    `SELECT window_seq, window_index FROM statement
     WHERE window_seq IS NOT NULL AND (window_seq, window_index) >= (?, ?)
     ORDER BY window_seq, window_index LIMIT 1`,
  );
  // By the chain's time on both sides: a clock that was set wrong must not delete anything.
  const isOld = db.prepare<[number, number], object>(
    `SELECT 1 FROM window JOIN nonce ON nonce.window_seq = window.seq AND nonce.abandoned = 0
     WHERE window.seq = ? AND window.state = 'PUBLISHED'
       AND nonce.settled_at_s <= (SELECT max(settled_at_s) FROM nonce) - ?`,
  );
  const stretch = db.prepare<[number, number, number], StatementRow>(
    `SELECT n, id, label, hash, bytes, acceptance FROM statement
     WHERE window_seq = ? AND window_index >= ? AND window_index < ? ORDER BY window_index`,
  );
  const keepEntries = db.prepare<[number, number, Uint8Array]>(
    `INSERT INTO pruned_entries (window_seq, first_index, entries) VALUES (?, ?, ?)
     ON CONFLICT (window_seq, first_index) DO NOTHING`,
  );
  const remove = db.prepare<[number]>('DELETE FROM statement WHERE n = ?');
  const { isKept } = keptStatements(db);
  const groups = groupsOf(db);
  const places = prunedPlaces(db);

  const prune = ({ windowSeq, windowIndex }: WindowPlace, count: number): number => {
    const rows = stretch.all(windowSeq, windowIndex, windowIndex + count);
    const gone = rows.flatMap((row) => {
      const place = placeInLog(row);
      return isKept(row, place) ? [] : [{ row, place }];
    });
    if (gone.length === 0) return 0;
    // The first time that anything of the stretch goes, all of it is still there.
    const entries = concatBytes(...rows.flatMap(({ label, hash }) => [label, hash]));
    keepEntries.run(windowSeq, windowIndex, entries);
    const touched = new Set(gone.map(({ row }) => row.acceptance));
    for (const group of touched) groups.keepIds(group);
    for (const { row, place } of gone) {
      places.add(place);
      remove.run(row.n);
    }
    for (const group of touched) groups.removeIfEmpty(group);
    return gone.length;
  };

  return {
    nextPlace: ({ windowSeq, windowIndex }, olderThanS) => {
      const row = next.get(windowSeq, windowIndex);
      if (row === undefined || isOld.get(row.window_seq, olderThanS) === undefined) {
        return undefined;
      }
      return { windowSeq: row.window_seq, windowIndex: row.window_index };
    },
    prune: (from, count) => db.transaction(() => prune(from, count)).immediate(),
  };
}

function keptStatements(db: Database.Database): {
  isKept(row: StatementRow, place: PlaceInLog): boolean;
} {
  const newest = db.prepare<[Uint8Array, Uint8Array, number], { readonly n: number }>(
    `SELECT statement_n AS n FROM newest_statement
     WHERE tag = ? AND device_key_id = ? AND epoch = ?`,
  );
  const forked = db.prepare<[Uint8Array], object>('SELECT 1 FROM fork WHERE first_id = ?');
  const owed = db.prepare<[number], object>('SELECT 1 FROM receipt_outbox WHERE statement_n = ?');
  return {
    isKept: ({ n, id }, { tag, deviceKeyId, epoch }) =>
      newest.get(tag, deviceKeyId, epoch)?.n === n ||
      forked.get(id) !== undefined ||
      owed.get(n) !== undefined,
  };
}

/** Group commits: whoever is left in one needs the ids of all for its path. */
function groupsOf(db: Database.Database): {
  keepIds(group: number): void;
  removeIfEmpty(group: number): void;
} {
  const known = db.prepare<[number], object>(
    'SELECT 1 FROM acceptance WHERE n = ? AND ids IS NOT NULL',
  );
  const ids = db.prepare<[number], { readonly id: Uint8Array }>(
    'SELECT id FROM statement WHERE acceptance = ? ORDER BY leaf_index',
  );
  const keep = db.prepare<[Uint8Array, number]>('UPDATE acceptance SET ids = ? WHERE n = ?');
  const remove = db.prepare<[number, number]>(
    `DELETE FROM acceptance WHERE n = ?
     AND NOT EXISTS (SELECT 1 FROM statement WHERE acceptance = ?)`,
  );
  return {
    keepIds: (group) => {
      if (known.get(group) !== undefined) return;
      keep.run(concatBytes(...ids.all(group).map(({ id }) => id)), group);
    },
    removeIfEmpty: (group) => {
      remove.run(group, group);
    },
  };
}

function placeInLog({ bytes }: StatementRow): PlaceInLog {
  const { tag, deviceKeyId, epoch, log, seq } = decodeStatement(unverifiedPayload(bytes));
  return { tag, deviceKeyId, epoch, log, seq };
}
