/** Which window holds what: every list is made anew from the store, and held against the record that stands for it on the chain. */
import type Database from 'better-sqlite3';
import { toHex } from '../../core/bytes.ts';
import { unverifiedPayload } from '../../core/cose.ts';
import { decodeStatement } from '../../core/statement.ts';
import {
  decodeWindowRecord,
  verifyWindowList,
  windowEntry,
  windowLabel,
} from '../../core/window.ts';
import { nativeSha256 } from '../../hw/crypto/native-hash.ts';

const ENTRY_BYTES = 64;

type StatementRow = { readonly bytes: Uint8Array; readonly place: number };
type PrunedRow = { readonly entries: Uint8Array; readonly place: number };

/**
 * @returns entry of a statement, in hexadecimal, to the windows that it stands in: a statement that two windows were sealed
 * with stands in both, or breaks the one that it was taken from
 * @throws VerificationError where a list does not give its record's root
 */
export function windowsByEntry(db: Database.Database): ReadonlyMap<string, readonly number[]> {
  const kept = db.prepare<[number], StatementRow>(
    'SELECT bytes, window_index AS place FROM statement WHERE window_seq = ?',
  );
  const pruned = db.prepare<[number], PrunedRow>(
    'SELECT entries, first_index AS place FROM pruned_entries WHERE window_seq = ?',
  );
  const windows = db.prepare<[], { readonly seq: number; readonly record: Uint8Array }>(
    'SELECT seq, record FROM window',
  );
  const found = new Map<string, number[]>();
  for (const { seq, record } of windows.all()) {
    const list: Uint8Array[] = [];
    for (const { bytes, place } of kept.all(seq)) list[place] = entryOf(bytes);
    for (const { entries, place } of pruned.all(seq)) {
      for (let at = 0; at < entries.length; at += ENTRY_BYTES) {
        list[place + at / ENTRY_BYTES] = entries.subarray(at, at + ENTRY_BYTES);
      }
    }
    verifyWindowList(decodeWindowRecord(record), list, nativeSha256);
    for (const entry of list) {
      const name = toHex(entry);
      const others = found.get(name);
      if (others === undefined) found.set(name, [seq]);
      else others.push(seq);
    }
  }
  return found;
}

/** @param statement COSE_Sign1 */
export function entryOf(statement: Uint8Array): Uint8Array {
  const label = windowLabel(decodeStatement(unverifiedPayload(statement)));
  return windowEntry(label, statement, nativeSha256);
}
