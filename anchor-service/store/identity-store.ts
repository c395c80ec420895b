/** What this service is, fixed with its data folder but for its sender key. */
import type Database from 'better-sqlite3';
import { concatBytes } from '../../core/bytes.ts';
import { decodeWindowRecord } from '../../core/window.ts';
import type { IdentityStore } from '../ports.ts';
import { beatWithin } from './lease-store.ts';

type IdentityRow = {
  readonly chain_id: string;
  readonly contract: Uint8Array;
  readonly publisher: Uint8Array;
  readonly first_window: number;
};

type PendingRow = { readonly seq: number; readonly record: Uint8Array };
type EntryRow = { readonly label: Uint8Array; readonly hash: Uint8Array };

export function identityStore(db: Database.Database): IdentityStore {
  const select = db.prepare<[], IdentityRow>('SELECT * FROM identity');
  const insert = db.prepare<[string, Uint8Array, Uint8Array]>(
    'INSERT INTO identity (one, chain_id, contract, publisher) VALUES (1, ?, ?, ?)',
  );
  const succeed = db.prepare<[Uint8Array, number]>(
    'UPDATE identity SET publisher = ?, first_window = ?',
  );
  const pending = db.prepare<[], PendingRow>(
    "SELECT seq, record FROM window WHERE state NOT IN ('FINAL', 'PUBLISHED') ORDER BY seq",
  );
  const entries = db.prepare<[number], EntryRow>(
    'SELECT label, hash FROM statement WHERE window_seq = ? ORDER BY window_index',
  );
  const keep = db.prepare<[Uint8Array, number, Uint8Array, Uint8Array]>(
    'INSERT INTO superseded_window (publisher, window_seq, record, entries) VALUES (?, ?, ?, ?)',
  );
  const retire = db.prepare<[number, number]>(
    `UPDATE nonce SET abandoned = 1, window_seq = NULL, settled_at_s = coalesce(settled_at_s, ?)
     WHERE window_seq = ?`,
  );
  const reopen = db.prepare<[number]>(
    'UPDATE statement SET window_seq = NULL, window_index = NULL WHERE window_seq = ?',
  );
  // A token over windows that are sealed again covers nothing any more; those before them get another.
  const unstamp = db.prepare<[number]>('DELETE FROM time_stamp WHERE last_seq >= ?');
  const remove = db.prepare<[number]>('DELETE FROM window WHERE seq = ?');
  const nextSeq = db.prepare<[], { readonly next: number }>(
    'SELECT coalesce(max(seq) + 1, 0) AS next FROM window',
  );

  const beat = beatWithin(db);

  const supersede = ({ seq, record }: PendingRow, atS: number): void => {
    const { publisher, windowSeq } = decodeWindowRecord(record);
    const list = entries.all(seq).flatMap(({ label, hash }) => [label, hash]);
    keep.run(publisher, Number(windowSeq), record, concatBytes(...list));
    retire.run(atS, seq);
    reopen.run(seq);
    unstamp.run(seq);
    remove.run(seq);
  };

  return {
    identity: () => {
      const row = select.get();
      return row === undefined
        ? undefined
        : {
            chainId: BigInt(row.chain_id),
            contract: Uint8Array.from(row.contract),
            publisher: Uint8Array.from(row.publisher),
            firstWindow: row.first_window,
          };
    },
    storeIdentity: ({ chainId, contract, publisher }) => {
      insert.run(chainId.toString(), contract, publisher);
    },
    takeOver: (publisher, atS) =>
      db
        .transaction(() => {
          const superseded = pending.all();
          for (const window of superseded) supersede(window, atS);
          succeed.run(publisher, nextSeq.get()?.next ?? 0);
          beat();
          return superseded.length;
        })
        .immediate(),
  };
}
