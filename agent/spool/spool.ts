/**
 * The spool's writer: every commit of the agent, in the order that makes a kill at any line recoverable.
 * Implements spec/spool.md, "Commits"; ARCHITECTURE.md, "Crash table".
 */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type Database from 'better-sqlite3';
import { OperationalError } from '../../core/errors.ts';
import type { LogPredecessor } from '../../core/session-record.ts';
import type { Span } from '../../core/statement.ts';
import { makeFolder } from '../folder.ts';
import type {
  AtCommitPoint,
  LogIdentity,
  Outbox,
  Primitives,
  StoredLog,
  StoredSession,
  StoredStream,
} from '../ports.ts';
import { storageError } from '../storage-error.ts';
import { Eviction, type SpoolRoom } from './eviction.ts';
import { lockSpool, openIndexForReading, openIndexForWriting } from './index-database.ts';
import { placeOf } from './place.ts';
import { keepReserve, spendReserve } from './reserve.ts';
import type { RetentionLimits } from './retention.ts';
import { type BodyLocation, SegmentWriter } from './segment-files.ts';
import { SpoolReader } from './spool-reader.ts';
import { StreamVault } from './stream-vault.ts';

/** A chunk with everything that becomes durable with it. */
export type ChunkToCommit = {
  readonly seq: number;
  readonly header: Uint8Array;
  readonly signature: Uint8Array;
  readonly body: Uint8Array;
  /** Streams that this chunk names for the first time, by ordinal; their roots may be durable already. */
  readonly freshStreams: readonly StoredStream[];
  readonly frameCount: number;
  readonly cursor: number;
};

export type StatementToCommit = {
  readonly seq: number;
  readonly id: Uint8Array;
  readonly bytes: Uint8Array;
  /** As in the statement. */
  readonly spans: readonly Span[];
};

/** The bounds that a spool is kept within while it is written. */
export type Keeping = {
  readonly limits: () => RetentionLimits;
  /** Wall clock, ns since 1970; undefined while it is not known to be right. */
  readonly nowNs: () => bigint | undefined;
  readonly onRoom: (room: SpoolRoom) => void;
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
  readonly #folder: string;
  readonly #database: Database.Database;
  readonly #vault: StreamVault;
  readonly #segments: SegmentWriter;
  readonly #lock: { release(): void };
  readonly #atCommitPoint: AtCommitPoint;
  readonly #eviction: Eviction;
  /** The log that is written; none before its first session. */
  #log: number | undefined;
  /** Of this log: streams whose roots are durable, and how many of them its chunks have named. */
  #streams: readonly StoredStream[];
  #announced: number;
  #lastSegment: number | undefined;
  #keeping: Keeping | undefined;
  #isKeepDue = false;

  private constructor(
    folder: string,
    database: Database.Database,
    vault: StreamVault,
    lock: { release(): void },
    atCommitPoint: AtCommitPoint,
  ) {
    super(folder, database, vault);
    this.#folder = folder;
    this.#database = database;
    this.#vault = vault;
    this.#lock = lock;
    this.#atCommitPoint = atCommitPoint;
    this.#eviction = new Eviction(folder, this.sql, atCommitPoint);
    this.#eviction.finish();
    this.#log = this.identity()?.log;
    this.#streams = this.#log === undefined ? [] : this.streams(this.#log);
    this.#announced = this.#log === undefined ? 0 : this.announcedStreams(this.#log);
    const end = this.bodiesEnd();
    this.#lastSegment = end?.segment;
    // A body beyond the last indexed one was never promised to anybody: it is cut off here.
    this.#segments = new SegmentWriter(join(folder, 'segments'), end);
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
    const open = (): Spool => {
      const database = openIndexForWriting(folder);
      try {
        const vault = new StreamVault(storageKey, primitives);
        return new Spool(folder, database, vault, lock, atCommitPoint);
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

  /**
   * Durable: which log this is, and the session's certified public key. Its secret is on no disk, so
   * if the process dies now the session signs nothing more, and the next start is a new session.
   */
  commitSession(identity: LogIdentity, session: StoredSession): void {
    this.#commit(() => this.#insertSession(identity, session));
    this.#log ??= identity.log;
    this.#atCommitPoint('session-committed');
  }

  /**
   * The session with the chunk that it recovered: on a disk that takes no body there is no session, however often one is
   * tried. Otherwise as `commitSession` and `commitChunks`.
   */
  commitRecovery(identity: LogIdentity, session: StoredSession, recovered: ChunkToCommit): void {
    this.#commitChunks(session.number, [recovered], () => {
      this.#insertSession(identity, session);
    });
  }

  /**
   * After the disk was set back: nothing more is signed in the log that another history may have gone on with.
   *
   * Statements without the service's word are destroyed with it. One that was never sent could be a second one
   * for its place, and so prove a fork against an honest owner. One that was sent before the disk was set back
   * may have been accepted since: it stands all the same, and its chunks are covered once more by the new
   * log, which is no fork, since a place is in one log. What the service accepted on this disk stays.
   *
   * Durable together: a kill before it leaves the old log, in which no statement is sent before the service is
   * asked again; a kill behind it leaves the new log without a session, and the next start is its first.
   */
  beginLog(predecessor: LogPredecessor): StoredLog {
    const before = this.identity();
    if (before === undefined) throw new RangeError('expected a log before a new one');
    const log = Math.max(before.log, predecessor.log) + 1;
    this.#commit(() => {
      this.sql.run(
        'DELETE FROM span WHERE statement IN (SELECT place FROM statement WHERE acceptance IS NULL AND inclusion IS NULL)',
      );
      this.sql.run('DELETE FROM statement WHERE acceptance IS NULL AND inclusion IS NULL');
      this.sql.run(
        'INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?)',
        log,
        before.tag,
        before.epoch,
        before.deviceKeyId,
        predecessor.log,
        predecessor.statementSeq,
        predecessor.statementId,
      );
    });
    this.#log = log;
    this.#streams = [];
    this.#announced = 0;
    this.#atCommitPoint('log-begun');
    return { ...before, log, predecessor };
  }

  /**
   * Before a journal block is sealed under one of these roots. A kill before it: nothing was sealed under
   * them. A kill behind it: the next start knows them, opens with them what the journal has, and its first
   * chunk names them.
   * @param roots of the streams that follow by ordinal those that `streams` gives
   */
  commitStreams(roots: readonly StoredStream[]): void {
    if (roots.length === 0) return;
    this.#commit(() => this.#insertStreams(this.#streams.length, roots));
    this.#streams = [...this.#streams, ...roots];
    this.#atCommitPoint('streams-committed');
  }

  /** Once in a log, before its first journal block: without this root no block of it could be opened again. */
  commitJournalRoot(root: Uint8Array): void {
    const log = this.#currentLog();
    const { salt, sealed } = this.#vault.sealJournalRoot(log, root);
    this.#commit(() =>
      this.sql.run('INSERT INTO journal_root VALUES (?, ?, ?)', log, salt, sealed),
    );
    this.#atCommitPoint('streams-committed');
  }

  /**
   * First the bodies are synced, then one transaction names them. A kill in between leaves bytes that
   * no row names: cut off at the next start, and the frames are read again, or recovered from the journal,
   * under the same seq and a new nonce. A kill after the transaction leaves chunks that the next session
   * finds, batches and chains to. On a full disk the oldest bodies make room; when none may go, nothing of these
   * chunks is durable, and they can be committed again. A stream's root is durable with the transaction that names the stream or
   * before it: no chunk is ever durable without the root that opens it, and a root without a chunk sealed
   * nothing that is left but journal blocks.
   */
  commitChunks(session: number, chunks: readonly ChunkToCommit[]): void {
    if (chunks.length > 0) this.#commitChunks(session, chunks);
  }

  #commitChunks(
    session: number,
    chunks: readonly ChunkToCommit[],
    insertSession?: () => void,
  ): void {
    const log = this.#currentLog();
    const named = chunks.flatMap((chunk) => chunk.freshStreams);
    const fresh = this.#notStored(named);
    const locations = this.#append(chunks.map((chunk) => chunk.body));
    this.#atCommitPoint('bodies-synced');
    this.#commitBodies(locations, () => {
      insertSession?.();
      if (fresh.length > 0) this.#insertStreams(this.#streams.length, fresh);
      let announced = this.#announced;
      chunks.forEach((chunk, i) => {
        const location = locations[i];
        if (location === undefined) return;
        announced += chunk.freshStreams.length;
        this.#insertChunk(placeOf(log, chunk.seq), placeOf(log, session), chunk, {
          ...location,
          announced,
        });
      });
    });
    this.#streams = [...this.#streams, ...fresh];
    this.#announced += named.length;
    const isNewSegment = locations.at(-1)?.segment !== this.#lastSegment;
    this.#lastSegment = locations.at(-1)?.segment;
    if (insertSession !== undefined) this.#atCommitPoint('session-committed');
    this.#atCommitPoint('chunks-committed');
    if (isNewSegment || this.#isKeepDue) this.#keep();
  }

  /**
   * The statement is durable with its signature before anybody sees it, together with the spans that it
   * covers: after a kill here it is sent as it stands, and no other statement can take its seq or its chunks.
   */
  commitStatement(session: number, statement: StatementToCommit): void {
    const log = this.#currentLog();
    const place = placeOf(log, statement.seq);
    this.#commit(() => {
      this.sql.run(
        'INSERT INTO statement (place, id, session, bytes) VALUES (?, ?, ?, ?)',
        place,
        statement.id,
        placeOf(log, session),
        statement.bytes,
      );
      for (const span of statement.spans) {
        const first = placeOf(span.log, span.firstSeq);
        this.sql.run('INSERT INTO span VALUES (?, ?, ?)', first, span.count, place);
      }
    });
    this.#atCommitPoint('statement-committed');
  }

  /** Durable: the service's word. A kill before it means asking again, which the service answers again. */
  storeAcceptance(statementId: Uint8Array, message: Uint8Array): void {
    this.#commit(() => {
      this.sql.run('UPDATE statement SET acceptance = ? WHERE id = ?', message, statementId);
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
      this.sql.run(
        'INSERT OR IGNORE INTO anchored_window VALUES (?, ?, ?)',
        receipt.windowHash,
        receipt.window,
        receipt.link,
      );
      this.sql.run(
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
    this.#commit(() => {
      const number = this.sql.run('INSERT INTO time_stamp (bytes) VALUES (?)', stamp);
      for (const hash of windowHashes) {
        this.sql.run('INSERT INTO stamped_window VALUES (?, ?)', hash, number);
      }
    });
    this.#atCommitPoint('stamp-committed');
  }

  /**
   * Durable when it returns: no body of these chunks is evicted, those that are still to come included.
   * @param toSeq inclusive
   * @returns the hold's number
   */
  hold(log: number, fromSeq: number, toSeq: number, reason: string): number {
    let number = 0;
    this.#commit(() => {
      const sql = 'INSERT INTO hold (first_chunk, last_chunk, reason) VALUES (?, ?, ?)';
      number = this.sql.run(sql, placeOf(log, fromSeq), placeOf(log, toSeq), reason);
    });
    this.#atCommitPoint('hold-committed');
    return number;
  }

  /** Retention may evict what no other hold has. */
  release(hold: number): void {
    this.#commit(() => {
      this.sql.run('DELETE FROM hold WHERE number = ?', hold);
    });
    this.#atCommitPoint('hold-committed');
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
    this.#segments.close();
    this.#database.close();
    this.#lock.release();
  }

  #currentLog(): number {
    if (this.#log === undefined) throw new RangeError('expected a session before what it signs');
    return this.#log;
  }

  /** @param named streams by ordinal, from the first that no chunk has named */
  #notStored(named: readonly StoredStream[]): readonly StoredStream[] {
    const stored = this.#streams.slice(this.#announced);
    const differs = named.findIndex(
      (stream, i) => stored[i] !== undefined && stored[i].name !== stream.name,
    );
    // A leaf under another root than the stored one could never be opened again.
    if (differs >= 0) throw new RangeError(`expected streams in the order of their roots`);
    return named.slice(stored.length);
  }

  #insertSession(identity: LogIdentity, session: StoredSession): void {
    this.sql.run(
      'INSERT OR IGNORE INTO log (number, tag, epoch, device_key_id) VALUES (?, ?, ?, ?)',
      identity.log,
      identity.tag,
      identity.epoch,
      identity.deviceKeyId,
    );
    this.sql.run(
      'INSERT INTO session VALUES (?, ?, ?)',
      placeOf(identity.log, session.number),
      session.id,
      session.record,
    );
  }

  #insertStreams(firstOrdinal: number, streams: readonly StoredStream[]): void {
    const log = this.#currentLog();
    const { salt, sealed } = this.#vault.seal(log, firstOrdinal, streams);
    this.sql.run(
      'INSERT INTO stream_roots VALUES (?, ?, ?)',
      placeOf(log, firstOrdinal),
      salt,
      sealed,
    );
  }

  #insertChunk(
    place: number,
    session: number,
    chunk: ChunkToCommit,
    at: BodyLocation & { readonly announced: number },
  ): void {
    if (at.segment !== this.#lastSegment) {
      this.sql.run('INSERT OR IGNORE INTO segment VALUES (?, ?, 0)', at.segment, place);
    }
    this.sql.run(
      'INSERT INTO chunk VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      place,
      session,
      chunk.header,
      chunk.signature,
      at.segment,
      at.offset,
      at.length,
      chunk.frameCount,
      chunk.cursor,
      at.announced,
    );
  }

  #append(bodies: readonly Uint8Array[]): readonly BodyLocation[] {
    const bytes = bodies.reduce((sum, body) => sum + body.length, 0);
    return this.#withRoom(bytes, () => {
      try {
        return this.#segments.append(bodies);
      } catch (error) {
        // Nobody names them yet: what of them is on the disk does not matter.
        this.#segments.takeBack(undefined);
        throw error;
      }
    });
  }

  #commitBodies(locations: readonly BodyLocation[], work: () => void): void {
    try {
      this.#commit(work);
    } catch (error) {
      // Only when it is known that no row names them; otherwise the next start finds out.
      if (isFull(error)) this.#segments.takeBack(locations[0]);
      throw error;
    }
  }

  /**
   * @throws OperationalError STORAGE_FULL: nothing of it is durable; another STORAGE_*: durability unknown, the
   *   caller stops
   */
  #commit(work: () => void): void {
    this.#withRoom(0, () => this.sql.transaction(work));
  }

  /**
   * A write that found the disk full is known not to be durable: SQLite has rolled it back, and bodies have no
   * row. So it is tried again as soon as something was evicted. A sync that failed is another error.
   */
  #withRoom<T>(bytes: number, write: () => T): T {
    for (;;) {
      try {
        return write();
      } catch (cause) {
        const error = storageError(cause);
        if (!isFull(error) || !this.#eviction.makeRoom(bytes)) throw error;
      }
    }
  }
}

function isFull(error: unknown): boolean {
  return error instanceof OperationalError && error.code === 'STORAGE_FULL';
}

/** The index writes before anything can be evicted, so room is set aside for that. */
function openInSpiteOfFullDisk(folder: string, open: () => Spool): Spool {
  try {
    const spool = open();
    keepReserve(folder);
    return spool;
  } catch (error) {
    if (!isFull(error) || !spendReserve(folder)) throw error;
    return open();
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
