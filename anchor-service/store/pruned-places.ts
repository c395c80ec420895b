/** Places of logs whose statements are pruned: kept for good, since nothing else may ever stand there. */
import type Database from 'better-sqlite3';
import type { LogOwner } from '../ports.ts';

export type PlaceInLog = LogOwner & { readonly log: number; readonly seq: number };

type Key = [Uint8Array, Uint8Array, number, number];
type Stretch = { readonly first: number; readonly last: number };

export function prunedPlaces(db: Database.Database): {
  has(place: PlaceInLog): boolean;
  /** Within a transaction of the caller. */
  add(place: PlaceInLog): void;
} {
  const ofLog = 'tag = ? AND device_key_id = ? AND epoch = ? AND log = ?';
  const below = db.prepare<[...Key, number], Stretch>(
    `SELECT first, last FROM pruned_statements WHERE ${ofLog} AND first <= ?
     ORDER BY first DESC LIMIT 1`,
  );
  const from = db.prepare<[...Key, number], Stretch>(
    `SELECT first, last FROM pruned_statements WHERE ${ofLog} AND first = ?`,
  );
  const remove = db.prepare<[...Key, number]>(
    `DELETE FROM pruned_statements WHERE ${ofLog} AND first = ?`,
  );
  const put = db.prepare<[...Key, number, number]>(
    `INSERT INTO pruned_statements (tag, device_key_id, epoch, log, first, last)
     VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (tag, device_key_id, epoch, log, first) DO UPDATE SET last = excluded.last`,
  );
  const keyOf = ({ tag, deviceKeyId, epoch, log }: PlaceInLog): Key => [
    tag,
    deviceKeyId,
    epoch,
    log,
  ];
  return {
    has: (place) => (below.get(...keyOf(place), place.seq)?.last ?? -1) >= place.seq,
    add: (place) => {
      const key = keyOf(place);
      const { seq } = place;
      const under = below.get(...key, seq);
      if (under !== undefined && under.last >= seq) return;
      const over = from.get(...key, seq + 1);
      if (over !== undefined) remove.run(...key, over.first);
      const first = under?.last === seq - 1 ? under.first : seq;
      put.run(...key, first, over?.last ?? seq);
    },
  };
}
