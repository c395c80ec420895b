/**
 * The spool's writer: every commit of the agent, in the order that makes a kill at any line recoverable.
 * Implements spec/spool.md, "Commits"; ARCHITECTURE.md, "Crash table".
 */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type Database from 'better-sqlite3';
import { makeFolder } from '../folder.ts';
import type { AtCommitPoint, LogIdentity, Outbox, Primitives, StoredStream } from '../ports.ts';
import { storageError } from '../storage-error.ts';
import { lockSpool, openIndexForReading, openIndexForWriting } from './index-database.ts';
import { type BodyLocation, SegmentWriter } from './segment-files.ts';
import { SpoolReader } from './spool-reader.ts';
import { StreamVault } from './stream-vault.ts';

/** A chunk with everything that becomes durable with it. */
export type ChunkToCommit = {
  readonly seq: number;
  readonly header: Uint8Array;
  readonly signature: Uint8Array;
  readonly body: Uint8Array;
  readonly freshStreams: readonly StoredStream[];
  readonly frameCount: number;
  readonly cursor: number;
};

export type StatementToCommit = {
  readonly seq: number;
  readonly id: Uint8Array;
  readonly bytes: Uint8Array;
  readonly firstSeq: number;
  readonly count: number;
};

/** Opens a spool for disclosure, beside a running agent or without one. */
export function openSpoolForReading(
  folder: string,
  storageKey: Uint8Array,
  primitives: Primitives,
): SpoolReader & Disposable {
  const database = openIndexForReading(folder);
  const reader = new SpoolReader(folder, database, new StreamVault(storageKey, primitives));
  return Object.assign(reader, { [Symbol.dispose]: () => database.close() });
}

export class Spool extends SpoolReader implements Outbox {
  readonly #database: Database.Database;
  readonly #vault: StreamVault;
  readonly #segments: SegmentWriter;
  readonly #lock: { release(): void };
  readonly #atCommitPoint: AtCommitPoint;
  #nextOrdinal: number;

  private constructor(
    folder: string,
    database: Database.Database,
    vault: StreamVault,
    lock: { release(): void },
    atCommitPoint: AtCommitPoint,
  ) {
    super(folder, database, vault);
    this.#database = database;
    this.#vault = vault;
    this.#lock = lock;
    this.#atCommitPoint = atCommitPoint;
    this.#nextOrdinal = this.streams().length;
    // A body beyond the last indexed one was never promised to anybody: it is cut off here.
    this.#segments = new SegmentWriter(join(folder, 'segments'), this.bodiesEnd());
  }

  /** Makes the folder when it is not there. @throws OperationalError STORAGE_*, SPOOL_* */
  static open(
    folder: string,
    storageKey: Uint8Array,
    primitives: Primitives,
    atCommitPoint: AtCommitPoint,
  ): Spool {
    makeFolder(join(folder, 'segments'));
    assertWritable(folder);
    const lock = lockSpool(folder);
    let database: Database.Database | undefined;
    try {
      database = openIndexForWriting(folder);
      const vault = new StreamVault(storageKey, primitives);
      return new Spool(folder, database, vault, lock, atCommitPoint);
    } catch (cause) {
      database?.close();
      lock.release();
      throw cause;
    }
  }

  /**
   * Durable: which log this is, and the session's certified public key. Its secret is on no disk, so
   * if the process dies now the session signs nothing more, and the next start is a new session.
   */
  commitSession(
    identity: LogIdentity,
    session: { readonly number: number; readonly id: Uint8Array; readonly record: Uint8Array },
  ): void {
    this.#commit(() => {
      this.#run(
        'INSERT OR IGNORE INTO log VALUES (1, ?, ?, ?, ?)',
        identity.tag,
        identity.epoch,
        identity.log,
        identity.deviceKeyId,
      );
      this.#run('INSERT INTO session VALUES (?, ?, ?)', session.number, session.id, session.record);
    });
    this.#atCommitPoint('session-committed');
  }

  /**
   * First the bodies are synced, then one transaction names them. A kill in between leaves bytes that
   * no row names: cut off at the next start, and the frames are read or captured again under the same
   * seq and a new nonce. A kill after the transaction leaves chunks that the next session finds,
   * batches and chains to. A stream's root is in the transaction of its first leaf: no chunk is ever
   * durable without the root that opens it, and a root without a chunk sealed nothing that is left.
   */
  commitChunks(session: number, chunks: readonly ChunkToCommit[]): void {
    if (chunks.length === 0) return;
    const locations = this.#segments.append(chunks.map((chunk) => chunk.body));
    this.#atCommitPoint('bodies-synced');
    this.#commit(() => {
      chunks.forEach((chunk, i) => {
        const location = locations[i];
        if (location !== undefined) this.#insertChunk(session, chunk, location);
      });
    });
    this.#atCommitPoint('chunks-committed');
  }

  /**
   * The statement is durable with its signature before anybody sees it, together with the mark on its
   * chunks: after a kill here it is sent as it stands, and no other statement can take its seq.
   */
  commitStatement(session: number, statement: StatementToCommit): void {
    this.#commit(() => {
      this.#run(
        'INSERT INTO statement (seq, id, session, bytes) VALUES (?, ?, ?, ?)',
        statement.seq,
        statement.id,
        session,
        statement.bytes,
      );
      this.#run(
        'UPDATE chunk SET statement = ? WHERE seq BETWEEN ? AND ? AND statement IS NULL',
        statement.seq,
        statement.firstSeq,
        statement.firstSeq + statement.count - 1,
      );
    });
    this.#atCommitPoint('statement-committed');
  }

  /** Durable: the service's word. A kill before it means asking again, which the service answers again. */
  storeAcceptance(statementId: Uint8Array, message: Uint8Array): void {
    this.#commit(() => {
      this.#run('UPDATE statement SET acceptance = ? WHERE id = ?', message, statementId);
    });
    this.#atCommitPoint('accepted-committed');
  }

  /** Durable: the statement needs nothing more from the service. A kill before it means asking again. */
  storeReceipt(
    statementId: Uint8Array,
    receipt: {
      readonly inclusion: Uint8Array;
      readonly windowHash: Uint8Array;
      readonly window: Uint8Array;
      readonly link: Uint8Array;
    },
  ): void {
    this.#commit(() => {
      this.#run(
        'INSERT OR IGNORE INTO anchored_window VALUES (?, ?, ?)',
        receipt.windowHash,
        receipt.window,
        receipt.link,
      );
      this.#run(
        'UPDATE statement SET inclusion = ?, window_hash = ? WHERE id = ?',
        receipt.inclusion,
        receipt.windowHash,
        statementId,
      );
    });
    this.#atCommitPoint('receipt-committed');
  }

  close(): void {
    this.#segments.close();
    this.#database.close();
    this.#lock.release();
  }

  #insertChunk(session: number, chunk: ChunkToCommit, location: BodyLocation): void {
    if (chunk.freshStreams.length > 0) {
      const { salt, sealed } = this.#vault.seal(this.#nextOrdinal, chunk.freshStreams);
      this.#run('INSERT INTO stream_roots VALUES (?, ?, ?)', this.#nextOrdinal, salt, sealed);
      this.#nextOrdinal += chunk.freshStreams.length;
    }
    this.#run(
      'INSERT INTO chunk VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)',
      chunk.seq,
      session,
      chunk.header,
      chunk.signature,
      location.segment,
      location.offset,
      location.length,
      chunk.frameCount,
      chunk.cursor,
    );
  }

  #run(sql: string, ...parameters: readonly (number | Uint8Array)[]): void {
    this.#database.prepare(sql).run(...parameters);
  }

  /** @throws OperationalError STORAGE_*: durability unknown, the caller stops */
  #commit(work: () => void): void {
    try {
      this.#database.transaction(work)();
    } catch (cause) {
      throw storageError(cause);
    }
  }
}

/** Asked first: SQLite would only say that it cannot open its file. */
function assertWritable(folder: string): void {
  try {
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    throw storageError(cause);
  }
}
