/** FINAL windows: receipts still owed to vehicles, and what everybody may read. */
import type Database from 'better-sqlite3';
import type {
  OwedReceipt,
  PublishedWindow,
  PublishStore,
  ReceiptStore,
  ServeStore,
  WindowState,
} from '../ports.ts';
import { windowEntries } from './window-entries.ts';

type OwedRow = {
  readonly n: number;
  readonly id: Uint8Array;
  readonly tag: Uint8Array;
  readonly window_seq: number;
  readonly window_index: number;
  readonly asked: number;
};

type WindowRow = {
  readonly seq: number;
  readonly state: WindowState;
  readonly record: Uint8Array;
  readonly hash: Uint8Array;
  readonly tree_size: number;
  readonly anchored: Uint8Array;
  readonly link: Uint8Array;
  readonly block_number: number;
  readonly block_hash: Uint8Array;
  readonly transaction_hash: Uint8Array | null;
  readonly gas_used: number | null;
};

type SignedRow = { readonly signed: Uint8Array };
type LastRow = Pick<WindowRow, 'seq' | 'tree_size' | 'anchored' | 'block_number'>;
type BacklogRow = {
  readonly newest_open: number | null;
  readonly oldest_open: number | null;
  readonly pending: number;
  readonly owed: number;
};
type ListRow = { readonly seq: number; readonly hash: Uint8Array; readonly tree_size: number };

export function publishedStore(
  db: Database.Database,
  lastBeacon: ServeStore['lastBeacon'],
): ReceiptStore & Omit<ServeStore, 'hop' | 'listHops'> & PublishStore {
  const owed = db.prepare<[number], OwedRow>(
    `SELECT statement.n, statement.id, statement.tag, statement.window_seq, statement.window_index,
       receipt_outbox.asked
     FROM receipt_outbox JOIN statement ON statement.n = receipt_outbox.statement_n
     ORDER BY receipt_outbox.window_seq, receipt_outbox.statement_n LIMIT ?`,
  );
  const window = db.prepare<[number], WindowRow>(
    "SELECT * FROM window WHERE seq = ? AND state IN ('FINAL', 'PUBLISHED')",
  );
  const settle = db.prepare('DELETE FROM receipt_outbox WHERE statement_n = ? AND asked = ?');
  const publish = db.prepare(
    `UPDATE window SET state = 'PUBLISHED' WHERE state = 'FINAL' AND NOT EXISTS
       (SELECT 1 FROM receipt_outbox WHERE receipt_outbox.window_seq = window.seq)
       AND EXISTS (SELECT 1 FROM written_window WHERE written_window.seq = window.seq)`,
  );
  const unwritten = db.prepare<[], { readonly seq: number }>(
    `SELECT seq FROM window WHERE state IN ('FINAL', 'PUBLISHED')
       AND seq > (SELECT coalesce(max(seq), -1) FROM written_window) ORDER BY seq LIMIT 1`,
  );
  const written = db.prepare<[], { readonly count: number }>(
    'SELECT coalesce(max(seq), -1) + 1 AS count FROM written_window',
  );
  const markWritten = db.prepare('INSERT INTO written_window (seq, written_at_ms) VALUES (?, ?)');
  const forgetWritten = db.prepare('DELETE FROM written_window');
  const list = db.prepare<[number, number], ListRow>(
    `SELECT seq, hash, tree_size FROM window
     WHERE seq >= ? AND state IN ('FINAL', 'PUBLISHED') ORDER BY seq LIMIT ?`,
  );
  // Numbers are given without a gap and windows take the oldest, so what is open is one stretch: counted by its ends, since
  // anybody may ask at any time how long it is.
  const backlog = db.prepare<[], BacklogRow>(
    `SELECT (SELECT max(n) FROM statement WHERE window_seq IS NULL) AS newest_open,
       (SELECT min(n) FROM statement WHERE window_seq IS NULL) AS oldest_open,
       (SELECT count(*) FROM window WHERE state IN ('SEALED', 'SIGNED', 'SENT', 'MINED')) AS pending,
       (SELECT count(*) FROM receipt_outbox) AS owed`,
  );
  const oldestOpen = db.prepare<[], SignedRow>(
    `SELECT signed FROM acceptance WHERE n =
       (SELECT acceptance FROM statement WHERE window_seq IS NULL ORDER BY n LIMIT 1)`,
  );
  const firstPending = db.prepare<[], { readonly seq: number }>(
    `SELECT seq FROM window WHERE state IN ('SEALED', 'SIGNED', 'SENT', 'MINED')
     ORDER BY seq LIMIT 1`,
  );
  const oldestIn = db.prepare<[number], SignedRow>(
    `SELECT signed FROM acceptance WHERE n = (SELECT acceptance FROM statement WHERE n =
       (SELECT min(n) FROM statement WHERE window_seq = ?))`,
  );
  // A window's statements are fixed once it is sealed: the index of a large one is looked through once.
  let pendingOldest: { readonly seq: number; readonly signed: Uint8Array | undefined } | undefined;
  const oldestPending = (): Uint8Array | undefined => {
    const seq = firstPending.get()?.seq;
    if (seq === undefined) return undefined;
    if (pendingOldest?.seq !== seq) pendingOldest = { seq, signed: oldestIn.get(seq)?.signed };
    return pendingOldest.signed;
  };
  const lastFinal = db.prepare<[], LastRow>(
    `SELECT seq, tree_size, anchored, block_number FROM window
     WHERE state IN ('FINAL', 'PUBLISHED') ORDER BY seq DESC LIMIT 1`,
  );
  const forks = db.prepare<[], { readonly count: number }>('SELECT count(*) AS count FROM fork');
  return {
    owedReceipts: (limit) => owed.all(limit).map(toOwed),
    finalWindow: (seq) => {
      const row = window.get(seq);
      return row && toPublished(row);
    },
    entries: windowEntries(db),
    markReceiptsPublished: (receipts) => {
      db.transaction(() => {
        for (const { n, asked } of receipts) settle.run(n, asked);
      }).immediate();
    },
    markWindowsPublished: () => publish.run().changes,
    listWindows: (from, limit) =>
      list.all(from, limit).map(({ seq, hash, tree_size }) => ({ seq, hash, treeSize: tree_size })),
    nextUnwritten: () => unwritten.get()?.seq,
    countWritten: () => written.get()?.count ?? 0,
    markWritten: (seq, nowMs) => {
      markWritten.run(seq, nowMs);
    },
    forgetWritten: () => {
      forgetWritten.run();
    },
    lastBeacon,
    // What is sealed was accepted before what is open, but for a window that was full.
    oldestWaiting: () => oldestPending() ?? oldestOpen.get()?.signed,
    lastFinal: () => {
      const row = lastFinal.get();
      return (
        row && {
          seq: row.seq,
          treeSize: row.tree_size,
          anchored: row.anchored,
          blockNumber: row.block_number,
        }
      );
    },
    countForks: () => forks.get()?.count ?? 0,
    backlog: () => {
      const row = backlog.get();
      return {
        openStatements:
          row?.newest_open == null || row.oldest_open == null
            ? 0
            : row.newest_open - row.oldest_open + 1,
        pendingWindows: row?.pending ?? 0,
        owedReceipts: row?.owed ?? 0,
      };
    },
  };
}

function toOwed(row: OwedRow): OwedReceipt {
  return {
    n: row.n,
    statementId: row.id,
    tag: row.tag,
    windowSeq: row.window_seq,
    windowIndex: row.window_index,
    asked: row.asked,
  };
}

function toPublished(row: WindowRow): PublishedWindow {
  return {
    seq: row.seq,
    state: row.state,
    record: row.record,
    hash: row.hash,
    treeSize: row.tree_size,
    anchored: row.anchored,
    link: row.link,
    blockNumber: row.block_number,
    blockHash: row.block_hash,
    transactionHash: row.transaction_hash ?? undefined,
    gasUsed: row.gas_used ?? undefined,
  };
}
