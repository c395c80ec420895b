/** The list of a window as it is published, from its statements and from what is left of those that are pruned. */
import type Database from 'better-sqlite3';
import { concatBytes } from '../../core/bytes.ts';
import { ENTRY_BYTES } from '../../core/published.ts';
import type { WindowEntries } from '../ports.ts';

type PlacedRow = {
  readonly place: number;
  readonly label: Uint8Array;
  readonly hash: Uint8Array;
};
type PrunedRow = { readonly first_index: number; readonly entries: Uint8Array };

export function windowEntries(db: Database.Database): WindowEntries {
  const placed = db.prepare<[number, number, number], PlacedRow>(
    `SELECT window_index AS place, label, hash FROM statement
     WHERE window_seq = ? AND window_index >= ? AND window_index < ? ORDER BY window_index`,
  );
  const pruned = db.prepare<{ seq: number; from: number; end: number }, PrunedRow>(
    `SELECT first_index, entries FROM pruned_entries
     WHERE window_seq = $seq AND first_index < $end AND first_index >= coalesce(
       (SELECT max(first_index) FROM pruned_entries WHERE window_seq = $seq AND first_index <= $from), 0)`,
  );
  return (seq, from, count) => {
    const end = from + count;
    const rows = placed.all(seq, from, end);
    if (rows.length === count) return rows.map(({ label, hash }) => concatBytes(label, hash));
    const entries: Uint8Array[] = [];
    for (const stretch of pruned.all({ seq, from, end })) {
      for (let at = 0; at < stretch.entries.length; at += ENTRY_BYTES) {
        const place = stretch.first_index + at / ENTRY_BYTES;
        if (place < from || place >= end) continue;
        entries[place - from] = stretch.entries.subarray(at, at + ENTRY_BYTES);
      }
    }
    // A statement that is kept stands in the list of its stretch as well, with the same bytes.
    for (const { place, label, hash } of rows) entries[place - from] = concatBytes(label, hash);
    return entries;
  };
}
