/**
 * Statements, and what the service says about them.
 * Implements spec/spool.md, "Commits".
 */
import type { Span } from '../../core/statement.ts';
import type { AtCommitPoint, ReceiptToStore } from '../ports.ts';
import { codeOfAside, insertAside } from './aside.ts';
import type { IndexWriter } from './index-writer.ts';
import { dropLinked, insertUnlinked } from './link-rows.ts';
import type { LogWriter } from './log-writer.ts';
import { placeOf } from './place.ts';

export type StatementToCommit = {
  readonly seq: number;
  readonly id: Uint8Array;
  readonly bytes: Uint8Array;
  /** As in the statement. */
  readonly spans: readonly Span[];
};

export class StatementWriter {
  readonly #index: IndexWriter;
  readonly #log: LogWriter;
  readonly #atCommitPoint: AtCommitPoint;

  constructor(index: IndexWriter, log: LogWriter, atCommitPoint: AtCommitPoint) {
    this.#index = index;
    this.#log = log;
    this.#atCommitPoint = atCommitPoint;
  }

  /**
   * The statement is durable with its signature before anybody sees it, together with the spans that it
   * covers: after a kill here it is sent as it stands, and no other statement can take its seq or its chunks.
   */
  commit(session: number, statement: StatementToCommit): void {
    const log = this.#log.current;
    const place = placeOf(log, statement.seq);
    this.#index.commit(() => {
      this.#index.sql.run(
        'INSERT INTO statement (place, id, session, bytes) VALUES (?, ?, ?, ?)',
        place,
        statement.id,
        placeOf(log, session),
        statement.bytes,
      );
      for (const span of statement.spans) {
        const first = placeOf(span.log, span.firstSeq);
        this.#index.sql.run('INSERT INTO span VALUES (?, ?, ?)', first, span.count, place);
      }
    });
    this.#atCommitPoint('statement-committed');
  }

  /** Durable: the service's word. A kill before it means asking again, which the service answers again. */
  storeAcceptance(statementId: Uint8Array, message: Uint8Array): void {
    this.#index.commit(() => {
      this.#index.sql.run('UPDATE statement SET acceptance = ? WHERE id = ?', message, statementId);
    });
    this.#atCommitPoint('accepted-committed');
  }

  /**
   * Durable: the statement goes behind the others. Nothing follows from it but the turn of another, so a kill before it
   * means that this one is sent and refused once more. The same refusal again writes nothing.
   */
  putAside(statementId: Uint8Array, code: string): void {
    const { sql } = this.#index;
    if (codeOfAside(sql, statementId) === code) return;
    this.#index.commit(() => insertAside(sql, statementId, code));
  }

  /** Durable: the statement needs nothing more from the service. A kill before it means asking again. */
  storeReceipt(statementId: Uint8Array, receipt: ReceiptToStore): void {
    this.#index.commit(() => {
      this.#index.sql.run(
        'INSERT OR IGNORE INTO anchored_window VALUES (?, ?, ?, ?, ?)',
        receipt.windowHash,
        receipt.window,
        receipt.link,
        Number(receipt.block),
        Number(receipt.chainId),
      );
      insertUnlinked(this.#index.sql, receipt.unlinked);
      dropLinked(this.#index.sql, receipt.linked);
      this.#index.sql.run(
        'UPDATE statement SET inclusion = ?, window_hash = ? WHERE id = ?',
        receipt.inclusion,
        receipt.windowHash,
        statementId,
      );
    });
    this.#atCommitPoint('receipt-committed');
  }

  /**
   * Durable: which of the windows the stamp covers. A kill before it loses the stamp, and the next one that comes
   * shows that it is missing.
   */
  storeStamp(stamp: Uint8Array, windowHashes: readonly Uint8Array[]): void {
    this.#index.commit(() => {
      const number = this.#index.sql.run('INSERT INTO time_stamp (bytes) VALUES (?)', stamp);
      for (const hash of windowHashes) {
        this.#index.sql.run('INSERT INTO stamped_window VALUES (?, ?)', hash, number);
      }
    });
    this.#atCommitPoint('stamp-committed');
  }
}
