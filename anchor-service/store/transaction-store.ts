/** Windows on their way to the chain: nonces, attempts and states, each change one transaction. */
import type Database from 'better-sqlite3';
import type {
  Attempt,
  CountedNonce,
  PendingWindow,
  ServiceIdentity,
  TransactionStore,
} from '../ports.ts';
import { beatWithin } from './lease-store.ts';

type PendingRow = {
  readonly seq: number;
  readonly first_window: number;
  readonly record: Uint8Array;
  readonly hash: Uint8Array;
  readonly state: PendingWindow['state'];
  readonly nonce: number | null;
  readonly sender: Uint8Array | null;
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

type CountedRow = {
  readonly sender: Uint8Array;
  readonly nonce: number;
  readonly settled_at_s: number | null;
  readonly gas_limit: string;
  readonly fee_cap: string;
};

export function transactionStore(
  db: Database.Database,
  storeIdentity: (identity: ServiceIdentity) => void,
): TransactionStore {
  const pending = db.prepare<[number], PendingRow>(
    `SELECT window.seq, first_window, window.record, window.hash, window.state, nonce.nonce,
       nonce.sender, window.mined_block
     FROM window JOIN identity LEFT JOIN nonce ON nonce.window_seq = window.seq AND nonce.abandoned = 0
     WHERE window.state IN ('SEALED', 'SIGNED', 'SENT', 'MINED') ORDER BY window.seq LIMIT ?`,
  );
  const attempts = db.prepare<[Uint8Array, number], AttemptRow>(
    'SELECT * FROM attempt WHERE sender = ? AND nonce = ? ORDER BY n',
  );
  const contractNonce = db.prepare<[], { readonly sender: Uint8Array; readonly nonce: number }>(
    'SELECT sender, nonce FROM nonce WHERE window_seq IS NULL AND abandoned = 0',
  );
  const highest = db.prepare<[Uint8Array], { readonly nonce: number | null }>(
    'SELECT max(nonce) AS nonce FROM nonce WHERE sender = ?',
  );
  const counted = db.prepare<[number], CountedRow>(
    `SELECT nonce.sender, nonce.nonce, settled_at_s, gas_limit, fee_cap
     FROM nonce JOIN attempt USING (sender, nonce)
     WHERE settled_at_s IS NULL OR settled_at_s > ? ORDER BY nonce.sender, nonce.nonce`,
  );
  const newestSettlement = db.prepare<[], { readonly at: number | null }>(
    'SELECT max(settled_at_s) AS at FROM nonce',
  );
  // All senders but the first took over from another (identity-store.ts): what is signed is by the present one.
  const insertNonce = db.prepare(
    'INSERT INTO nonce (sender, nonce, window_seq) VALUES ((SELECT publisher FROM identity), ?, ?)',
  );
  const insertContractNonce = db.prepare(
    'INSERT INTO nonce (sender, nonce, settled_at_s) VALUES ((SELECT publisher FROM identity), ?, 0)',
  );
  const insertAttempt = db.prepare(
    `INSERT INTO attempt (sender, nonce, hash, raw, fee_cap, tip, gas_limit, signed_at_block)
     VALUES ((SELECT publisher FROM identity), ?, ?, ?, ?, ?, ?, ?)`,
  );
  const abandon = db.prepare(
    'UPDATE nonce SET abandoned = 1, settled_at_s = ? WHERE nonce = ? AND window_seq = ?',
  );
  const settle = db.prepare(
    'UPDATE nonce SET settled_at_s = ? WHERE window_seq = ? AND abandoned = 0',
  );
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
  const beat = beatWithin(db);
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
        windowSeq: row.seq - row.first_window,
        record: row.record,
        hash: row.hash,
        state: row.state,
        nonce: row.nonce ?? undefined,
        attempts:
          row.nonce === null || row.sender === null
            ? []
            : attempts.all(row.sender, row.nonce).map(toAttempt),
        minedBlock: row.mined_block ?? undefined,
      })),
    highestNonce: (sender) => highest.get(sender)?.nonce ?? undefined,
    countedNonces: (sinceS) => countedNonces(counted.all(sinceS)),
    newestSettlementS: () => newestSettlement.get()?.at ?? 0,
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
    abandonNonce: (seq, nonce, settledAtS) => {
      db.transaction(() => {
        abandon.run(settledAtS, nonce, seq);
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
        settle.run(f.block.timestampS, seq);
        owe.run(seq);
        beat();
      }).immediate();
    },
    newestFinalBlocks: (limit) => newestFinal.all(limit),
    signContract: (nonce, attempt, identity) => {
      db.transaction(() => {
        storeIdentity(identity);
        insertContractNonce.run(nonce);
        addAttempt(nonce, attempt);
      }).immediate();
    },
    contractAttempts: () => {
      const row = contractNonce.get();
      return row === undefined ? [] : attempts.all(row.sender, row.nonce).map(toAttempt);
    },
  };
}

/** One for each nonce: only one of its attempts can ever take effect, and the dearest may be the one. */
function countedNonces(rows: readonly CountedRow[]): readonly CountedNonce[] {
  const byNonce = new Map<string, CountedNonce>();
  for (const { sender, nonce, settled_at_s, gas_limit, fee_cap } of rows) {
    const key = `${sender.join()} ${nonce}`;
    const gasLimit = BigInt(gas_limit);
    const cost = gasLimit * BigInt(fee_cap);
    const known = byNonce.get(key);
    byNonce.set(key, {
      worstCost: known !== undefined && known.worstCost > cost ? known.worstCost : cost,
      gasLimit: known !== undefined && known.gasLimit > gasLimit ? known.gasLimit : gasLimit,
      isSettled: settled_at_s !== null,
    });
  }
  return [...byNonce.values()];
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
