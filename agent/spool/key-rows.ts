/**
 * All rows of keys anew under a new storage key, with the nodes that stay, and the old key destroyed. What is left of old
 * rows in free pages, in SQLite's log and in the flash is sealed under a key that is nowhere any more.
 * Implements spec/spool.md, "Forgetting keys".
 */
import type { Hash } from '../../core/hash.ts';
import type { KeyNode } from '../../core/key-tree.ts';
import { RECORDS } from '../../core/stream.ts';
import type { AtCommitPoint, StorageKeys, StoredStream } from '../ports.ts';
import type { IndexWriter } from './index-writer.ts';
import { journalPlace } from './owner-roots.ts';
import { logOf, numberOf } from './place.ts';
import { blob, integer, type Row } from './rows.ts';
import type { SpoolReader } from './spool-reader.ts';
import { generationOf, type StorageVaults } from './storage-vaults.ts';
import type { SealedStreams } from './stream-vault.ts';

export type KeyRowsParts = {
  readonly stored: SpoolReader;
  readonly index: IndexWriter;
  readonly vaults: StorageVaults;
  readonly keys: StorageKeys;
  readonly sha512: Hash;
  readonly atCommitPoint: AtCommitPoint;
};

/** A row of keys, opened. */
export type KeyRow = {
  readonly log: number;
  /** As in what is sealed to the owner. */
  readonly place: number;
  readonly isJournal: boolean;
  readonly streams: readonly StoredStream[];
};

export type KeyRewrite = {
  /** What is left of a row, in the same order. */
  readonly keep: (row: KeyRow) => readonly StoredStream[];
  /** In the transaction of the rows. */
  readonly alongside: () => void;
  /** When nothing is cut, nothing happens. */
  readonly onlyIfCut: boolean;
};

/**
 * First the new key, then all rows under it with its generation, in one transaction, then the old key goes. A kill
 * behind the first: the index names the old generation, and the next start destroys the new key, under which nothing
 * was sealed. A kill behind the second: it names the new one, and the next start destroys the old key.
 */
export function rewriteKeys(parts: KeyRowsParts, { keep, alongside, onlyIfCut }: KeyRewrite): void {
  const { index, vaults, keys, atCommitPoint } = parts;
  const rows = keyRows(parts).map((row) => ({ row, kept: keep(row) }));
  if (onlyIfCut && !rows.some(({ row, kept }) => isShorter(row.streams, kept))) return;
  const generation = generationOf(index.sql) + 1;
  index.withRoom(0, () => keys.make(generation));
  atCommitPoint('storage-key-made');
  const vault = vaults.of(generation);
  index.commit(() => {
    for (const { row, kept } of rows) {
      if (row.isJournal) {
        const { salt, sealed } = vault.sealJournal(row.log, kept[0]?.nodes ?? []);
        const sql = 'UPDATE journal_root SET salt = ?, sealed = ? WHERE log = ?';
        index.sql.run(sql, salt, sealed, row.log);
      } else {
        const { salt, sealed } = vault.seal(row.log, numberOf(row.place), kept);
        const sql = 'UPDATE stream_roots SET salt = ?, sealed = ? WHERE place = ?';
        index.sql.run(sql, salt, sealed, row.place);
      }
    }
    index.sql.run('UPDATE forgetting SET generation = ?', generation);
    alongside();
  });
  atCommitPoint('keys-forgotten');
  keys.keepOnly(generation);
  atCommitPoint('storage-key-destroyed');
}

/** All of all logs, since all lie under the key that is to be destroyed. */
function keyRows({ index: { sql }, vaults }: KeyRowsParts): readonly KeyRow[] {
  const streams = vaults.open(
    sql,
    () => sql.all('SELECT * FROM stream_roots ORDER BY place', []),
    (vault, row): KeyRow => {
      const place = integer(row, 'place');
      const log = logOf(place);
      const opened = vault.open(log, numberOf(place), sealedIn(row));
      return { log, place, isJournal: false, streams: opened };
    },
  );
  const journals = vaults.open(
    sql,
    () => sql.all('SELECT * FROM journal_root ORDER BY log', []),
    (vault, row): KeyRow => {
      const log = integer(row, 'log');
      const opened = [{ name: RECORDS.journal, nodes: vault.openJournal(log, sealedIn(row)) }];
      return { log, place: journalPlace(log), isJournal: true, streams: opened };
    },
  );
  return [...streams, ...journals];
}

function sealedIn(row: Row): SealedStreams {
  return { salt: blob(row, 'salt'), sealed: blob(row, 'sealed') };
}

function isShorter(before: readonly StoredStream[], after: readonly StoredStream[]): boolean {
  return before.some(({ nodes }, i) => !hasSamePlaces(nodes, after[i]?.nodes ?? []));
}

function hasSamePlaces(a: readonly KeyNode[], b: readonly KeyNode[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ depth, prefix }, i) => depth === b[i]?.depth && prefix === b[i].prefix)
  );
}
