/** Windows on their way to the chain: nonces, attempts and states, each change one transaction. */
import type Database from 'better-sqlite3';
import type { Attempt, PendingWindow, ServiceIdentity, TransactionStore } from '../ports.ts';

type PendingRow = {
  readonly seq: number;
  readonly record: Uint8Array;
  readonly hash: Uint8Array;
  readonly state: PendingWindow['state'];
  readonly nonce: number | null;
  readonly mined_block: number | null;
};

type AttemptRow = {
  readonly hash: Uint8Array;
  readonly raw: Uint8Array;
  readonly fee_cap: string;
  readonly tip: string;
  readonly gas_limit: string;
  readonly signed_at_block: number;
};

export function transactionStore(
  db: Database.Database,
  storeIdentity: (identity: ServiceIdentity) => void,
): TransactionStore {
  const pending = db.prepare<[number], PendingRow>(
    `SELECT window.seq, window.record, window.hash, window.state, nonce.nonce, window.mined_block
     FROM window LEFT JOIN nonce ON nonce.window_seq = window.seq AND nonce.abandoned = 0
     WHERE window.state IN ('SEALED', 'SIGNED', 'SENT', 'MINED') ORDER BY window.seq LIMIT ?`,
  );
  const attempts = db.prepare<[number], AttemptRow>(
    'SELECT * FROM attempt WHERE nonce = ? ORDER BY n',
  );
  const contractNonce = db.prepare<[], { readonly nonce: number }>(
    'SELECT nonce FROM nonce WHERE window_seq IS NULL',
  );
  const highest = db.prepare<[], { readonly nonce: number | null }>(
    'SELECT max(nonce) AS nonce FROM nonce',
  );
  const insertNonce = db.prepare('INSERT INTO nonce (nonce, window_seq) VALUES (?, ?)');
  const insertAttempt = db.prepare(
    `INSERT INTO attempt (nonce, hash, raw, fee_cap, tip, gas_limit, signed_at_block)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const abandon = db.prepare('UPDATE nonce SET abandoned = 1 WHERE nonce = ? AND window_seq = ?');
  const change = db.prepare(
    'UPDATE window SET state = ?, mined_block = ? WHERE seq = ? AND state = ?',
  );
  const final = db.prepare(
    `UPDATE window SET state = 'FINAL', anchored = ?, link = ?, block_number = ?, block_hash = ?,
       transaction_hash = ?, gas_used = ? WHERE seq = ? AND state = 'MINED'`,
  );
  const owe = db.prepare(
    'INSERT INTO receipt_outbox (statement_n, window_seq) SELECT n, window_seq FROM statement WHERE window_seq = ?',
  );
  const newestFinal = db.prepare<[number], { readonly number: number; readonly hash: Uint8Array }>(
    `SELECT block_number AS number, block_hash AS hash FROM window
     WHERE state IN ('FINAL', 'PUBLISHED') ORDER BY seq DESC LIMIT ?`,
  );

  const addAttempt = (nonce: number, a: Attempt): void => {
    insertAttempt.run(
      nonce,
      a.hash,
      a.raw,
      a.feeCap.toString(),
      a.tip.toString(),
      a.gasLimit.toString(),
      a.signedAtBlock,
    );
  };
  // A transition from another state than expected is a fault of ours: it must not pass unseen.
  const transition = (seq: number, from: string, to: string, block: number | null): void => {
    if (change.run(to, block, seq, from).changes !== 1) {
      throw new Error(`window ${seq} is not ${from}, so it cannot become ${to}`);
    }
  };
  return {
    pendingWindows: (limit) =>
      pending.all(limit).map((row) => ({
        seq: row.seq,
        record: row.record,
        hash: row.hash,
        state: row.state,
        nonce: row.nonce ?? undefined,
        attempts: row.nonce === null ? [] : attempts.all(row.nonce).map(toAttempt),
        minedBlock: row.mined_block ?? undefined,
      })),
    highestNonce: () => highest.get()?.nonce ?? undefined,
    signWindow: (seq, nonce, attempt) => {
      db.transaction(() => {
        insertNonce.run(nonce, seq);
        addAttempt(nonce, attempt);
        transition(seq, 'SEALED', 'SIGNED', null);
      }).immediate();
    },
    addAttempt,
    markSent: (seq) => transition(seq, 'SIGNED', 'SENT', null),
    markMined: (seq, block) => {
      db.transaction(() => {
        // Seen in a block before the answer to the sending arrived, or after a crash in between.
        change.run('SENT', null, seq, 'SIGNED');
        transition(seq, 'SENT', 'MINED', block);
      }).immediate();
    },
    markUnmined: (seq) => transition(seq, 'MINED', 'SENT', null),
    abandonNonce: (seq, nonce) => {
      db.transaction(() => {
        abandon.run(nonce, seq);
        change.run('SENT', null, seq, 'SIGNED');
        transition(seq, 'SENT', 'SEALED', null);
      }).immediate();
    },
    markFinal: (seq, f) => {
      db.transaction(() => {
        const { changes } = final.run(
          f.anchored,
          f.link,
          f.block.number,
          f.block.hash,
          f.transaction?.hash ?? null,
          f.transaction?.gasUsed ?? null,
          seq,
        );
        if (changes !== 1) throw new Error(`window ${seq} is not MINED, so it cannot become FINAL`);
        owe.run(seq);
      }).immediate();
    },
    newestFinalBlocks: (limit) => newestFinal.all(limit),
    signContract: (nonce, attempt, identity) => {
      db.transaction(() => {
        insertNonce.run(nonce, null);
        addAttempt(nonce, attempt);
        storeIdentity(identity);
      }).immediate();
    },
    contractAttempts: () => {
      const row = contractNonce.get();
      return row === undefined ? [] : attempts.all(row.nonce).map(toAttempt);
    },
  };
}

function toAttempt(row: AttemptRow): Attempt {
  return {
    hash: row.hash,
    raw: row.raw,
    feeCap: BigInt(row.fee_cap),
    tip: BigInt(row.tip),
    gasLimit: BigInt(row.gas_limit),
    signedAtBlock: row.signed_at_block,
  };
}
