/** The list of a window as it is published, from its statements and from what is left of those that are pruned. */
import type Database from 'better-sqlite3';
import { concatBytes } from '../../core/bytes.ts';

/** `label ‖ SHA-256 of the statement`. */
const ENTRY_BYTES = 64;

type PlacedRow = {
  readonly place: number;
  readonly label: Uint8Array;
  readonly hash: Uint8Array;
};
type PrunedRow = { readonly first_index: number; readonly entries: Uint8Array };

/** @returns for a sealed window: every entry in order, ascending by label */
export function windowEntries(
  db: Database.Database,
): (seq: number, treeSize: number) => readonly Uint8Array[] {
  const placed = db.prepare<[number], PlacedRow>(
    'SELECT window_index AS place, label, hash FROM statement WHERE window_seq = ? ORDER BY window_index',
  );
  const pruned = db.prepare<[number], PrunedRow>(
    'SELECT first_index, entries FROM pruned_entries WHERE window_seq = ?',
  );
  return (seq, treeSize) => {
    const rows = placed.all(seq);
    if (rows.length === treeSize) return rows.map(({ label, hash }) => concatBytes(label, hash));
    const entries: Uint8Array[] = [];
    for (const stretch of pruned.all(seq)) {
      for (let at = 0; at < stretch.entries.length; at += ENTRY_BYTES) {
        entries[stretch.first_index + at / ENTRY_BYTES] = stretch.entries.subarray(
          at,
          at + ENTRY_BYTES,
        );
      }
    }
    // A statement that is kept stands in the list of its stretch as well, with the same bytes.
    for (const { place, label, hash } of rows) entries[place] = concatBytes(label, hash);
    return entries;
  };
}
