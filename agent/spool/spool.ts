/**
 * The spool of a running agent: opened once, written by one process, kept within its bounds. What each commit makes
 * durable, and what a kill before or behind it leaves, stands at the writer of its rows.
 * Implements spec/spool.md, "Commits"; ARCHITECTURE.md, "Crash table".
 */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type Database from 'better-sqlite3';
import type { LogPredecessor } from '../../core/session-record.ts';
import { makeFolder } from '../folder.ts';
import type {
  AtCommitPoint,
  LinkShelf,
  LogIdentity,
  NamedBlock,
  Outbox,
  Primitives,
  ReceiptToStore,
  SealToOwner,
  ServiceOutbox,
  StorageKeys,
  StoredLog,
  StoredSession,
  StoredStream,
} from '../ports.ts';
import { storageError } from '../storage-error.ts';
import { type ChunkToCommit, ChunkWriter } from './chunk-writer.ts';
import { type Erasure, eraseChunks, erasureState } from './erase-chunks.ts';
import { Eviction, type SpoolRoom } from './eviction.ts';
import { lockSpool, openIndexForReading, openIndexForWriting } from './index-database.ts';
import { IndexWriter } from './index-writer.ts';
import { KeyForgetting, type KeyKeeping } from './key-forgetting.ts';
import type { KeyRowsParts } from './key-rows.ts';
import { LinkWriter } from './link-writer.ts';
import { LogWriter } from './log-writer.ts';
import { placeOf } from './place.ts';
import { outboxOf } from './promises.ts';
import { keepReserve, openInSpiteOfFullDisk } from './reserve.ts';
import type { RetentionLimits } from './retention.ts';
import { SpoolReader } from './spool-reader.ts';
import { type StatementToCommit, StatementWriter } from './statement-writer.ts';
import { generationOf, StorageVaults } from './storage-vaults.ts';

/** The bounds that a spool is kept within while it is written. */
export type Keeping = {
  readonly limits: () => RetentionLimits;
  /** Wall clock, ns since 1970; undefined while it is not known to be right. */
  readonly nowNs: () => bigint | undefined;
  readonly onRoom: (room: SpoolRoom) => void;
};

/** Opens a spool for disclosure, beside a running agent or without one. Keys are read when rows of keys are. */
export function openSpoolForReading(
  folder: string,
  keys: Pick<StorageKeys, 'read'>,
  primitives: Primitives,
): SpoolReader & Disposable {
  const database = openIndexForReading(folder);
  const reader = new SpoolReader(folder, database, new StorageVaults(keys, primitives));
  return Object.assign(reader, { [Symbol.dispose]: () => database.close() });
}

export class Spool extends SpoolReader implements Outbox, LinkShelf {
  readonly #folder: string;
  readonly #database: Database.Database;
  readonly #lock: { release(): void };
  readonly #atCommitPoint: AtCommitPoint;
  readonly #eviction: Eviction;
  readonly #index: IndexWriter;
  readonly #log: LogWriter;
  readonly #chunks: ChunkWriter;
  readonly #statements: StatementWriter;
  readonly #links: LinkWriter;
  #keeping: Keeping | undefined;
  #isKeepDue = false;
  readonly #opening: { readonly keys: StorageKeys; readonly primitives: Primitives };
  readonly #vaults: StorageVaults;
  #forgetting: KeyForgetting | undefined;

  private constructor(
    folder: string,
    database: Database.Database,
    opening: { readonly keys: StorageKeys; readonly primitives: Primitives },
    lock: { release(): void },
    atCommitPoint: AtCommitPoint,
  ) {
    const vaults = new StorageVaults(opening.keys, opening.primitives);
    super(folder, database, vaults);
    this.#opening = opening;
    this.#vaults = vaults;
    this.#folder = folder;
    this.#database = database;
    this.#lock = lock;
    this.#atCommitPoint = atCommitPoint;
    this.#eviction = new Eviction(folder, this.sql, atCommitPoint);
    this.#eviction.finish();
    // Read whether or not there are rows: without it nothing could be sealed.
    const generation = generationOf(this.sql);
    vaults.of(generation);
    const index = new IndexWriter(this.sql, this.#eviction);
    this.#index = index;
    this.#log = new LogWriter(this, index, vaults, atCommitPoint);
    this.#chunks = new ChunkWriter(folder, this.bodiesEnd(), index, this.#log, atCommitPoint);
    this.#statements = new StatementWriter(index, this.#log, atCommitPoint);
    this.#links = new LinkWriter(index, atCommitPoint);
    // Behind the rows of the log that is written, which have opened: what is destroyed opens nothing that counts.
    opening.keys.keepOnly(generation);
  }

  /** Makes the folder when it is not there. @throws OperationalError STORAGE_*, SPOOL_* */
  static open(
    folder: string,
    keys: StorageKeys,
    primitives: Primitives,
    atCommitPoint: AtCommitPoint,
  ): Spool {
    makeFolder(join(folder, 'segments'));
    assertWritable(folder);
    const lock = lockSpool(folder);
    const open = (): Spool => {
      const database = openIndexForWriting(folder);
      try {
        return new Spool(folder, database, { keys, primitives }, lock, atCommitPoint);
      } catch (cause) {
        database.close();
        throw storageError(cause);
      }
    };
    try {
      return openInSpiteOfFullDisk(folder, open);
    } catch (cause) {
      lock.release();
      throw cause;
    }
  }

  commitSession(identity: LogIdentity, session: StoredSession): void {
    this.#log.commitSession(identity, session);
  }

  /**
   * The session with the chunk that it recovered: on a disk that takes no body there is no session, however often one is
   * tried. Otherwise as `commitSession` and `commitChunks`.
   */
  commitRecovery(identity: LogIdentity, session: StoredSession, recovered: ChunkToCommit): void {
    this.#commitChunks(session.number, [recovered], () => {
      this.#log.insertSession(identity, session);
    });
  }

  beginLog(predecessor: LogPredecessor): StoredLog {
    return this.#log.beginLog(predecessor);
  }

  commitStreams(roots: readonly StoredStream[]): void {
    this.#log.commitStreams(roots);
  }

  commitJournal(journal: StoredStream): void {
    this.#log.commitJournal(journal);
  }

  commitChunks(session: number, chunks: readonly ChunkToCommit[]): void {
    if (chunks.length > 0) this.#commitChunks(session, chunks);
  }

  /** A segment that is full is the time to look at the bounds. */
  #commitChunks(
    session: number,
    chunks: readonly ChunkToCommit[],
    insertSession?: () => void,
  ): void {
    const hasBegunSegment = this.#chunks.commit(session, chunks, insertSession);
    if (hasBegunSegment || this.#isKeepDue) this.#keep();
    this.#forgetting?.tick();
  }

  commitStatement(session: number, statement: StatementToCommit): void {
    this.#statements.commit(session, statement);
  }

  /** @param service position in the configuration */
  outboxOf(service: number): ServiceOutbox {
    return outboxOf(service, this, this.sql, (work) => {
      this.#index.commit(work);
      this.#atCommitPoint('promise-missed');
    });
  }

  storeAcceptance(statementId: Uint8Array, message: Uint8Array): void {
    this.#statements.storeAcceptance(statementId, message);
  }

  putAside(statementId: Uint8Array, code: string): void {
    this.#statements.putAside(statementId, code);
  }

  storeReceipt(statementId: Uint8Array, receipt: ReceiptToStore): void {
    this.#statements.storeReceipt(statementId, receipt);
  }

  countAsked(blocks: readonly NamedBlock[]): void {
    this.#links.countAsked(blocks);
  }

  storeHops(hops: Parameters<LinkShelf['storeHops']>[0], linked: readonly NamedBlock[]): void {
    this.#links.storeHops(hops, linked);
  }

  storeStamp(stamp: Uint8Array, windowHashes: readonly Uint8Array[]): void {
    this.#statements.storeStamp(stamp, windowHashes);
  }

  /**
   * Durable when it returns: no body of these chunks is evicted, those that are still to come included.
   * @param toSeq inclusive
   * @returns the hold's number
   */
  hold(log: number, fromSeq: number, toSeq: number, reason: string): number {
    let number = 0;
    this.#index.commit(() => {
      const sql = 'INSERT INTO hold (first_chunk, last_chunk, reason) VALUES (?, ?, ?)';
      number = this.sql.run(sql, placeOf(log, fromSeq), placeOf(log, toSeq), reason);
    });
    this.#atCommitPoint('hold-committed');
    return number;
  }

  /** Retention may evict what no other hold has. */
  release(hold: number): void {
    this.#index.commit(() => {
      this.sql.run('DELETE FROM hold WHERE number = ?', hold);
    });
    this.#atCommitPoint('hold-committed');
  }

  /** From now on roots are sealed to the owner's recovery key in the transaction that makes them durable. */
  sealRootsTo(sealToOwner: SealToOwner): void {
    this.#log.sealRootsTo(sealToOwner);
  }

  /** Those of streams that were made before. */
  sealMissingRoots(): void {
    this.#log.sealMissingRoots();
  }

  /** From now on, and then in rounds: keys of what is too old go, where the owner has the roots. */
  forgetKeys(keeping: KeyKeeping): void {
    this.#forgetting = new KeyForgetting(this.#keyRows(), keeping);
    this.#forgetting.tick();
  }

  /** Makes chunks unreadable for everybody. Durable when it returns. @throws as `eraseChunks` */
  erase(erasure: Erasure): void {
    eraseChunks(this.#folder, this.#keyRows(), erasure, this.#opening.primitives.random);
  }

  /** @throws as `erasureState` */
  assertErasable(erasure: Erasure): void {
    erasureState(this.#keyRows(), erasure);
  }

  #keyRows(): KeyRowsParts {
    const { keys, primitives } = this.#opening;
    const parts = { stored: this, index: this.#index, vaults: this.#vaults, keys };
    return { ...parts, sha512: primitives.sha512, atCommitPoint: this.#atCommitPoint };
  }

  /** From now on, and then with every segment that is full. */
  keepWithin(keeping: Keeping): void {
    this.#keeping = keeping;
    this.#keep();
  }

  /** With the next commit, since the limits have changed. */
  keepSoon(): void {
    this.#isKeepDue = true;
  }

  #keep(): void {
    this.#isKeepDue = false;
    if (this.#keeping === undefined) return;
    const { limits, nowNs, onRoom } = this.#keeping;
    onRoom(this.retain(limits(), nowNs()));
  }

  /**
   * Evicts what the limits no longer allow.
   * @param nowNs wall clock, ns since 1970; undefined while it is not known to be right
   */
  retain(limits: RetentionLimits, nowNs: bigint | undefined): SpoolRoom {
    const room = this.#eviction.retain(limits, nowNs);
    keepReserve(this.#folder);
    return room;
  }

  close(): void {
    this.#chunks.close();
    this.#database.close();
    this.#lock.release();
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
