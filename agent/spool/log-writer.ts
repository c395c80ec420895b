/**
 * Which log is written, by which sessions, and the roots of its streams.
 * Implements spec/spool.md, "Commits" and "Streams".
 */
import { JOURNAL_ORDINAL } from '../../core/sealed-roots.ts';
import type { LogPredecessor } from '../../core/session-record.ts';
import { RECORDS } from '../../core/stream.ts';
import { rootOf } from '../../core/stream-keys.ts';
import type {
  AtCommitPoint,
  LogIdentity,
  SealToOwner,
  StoredLog,
  StoredSession,
  StoredStream,
} from '../ports.ts';
import type { IndexWriter } from './index-writer.ts';
import { insertSealedRoots, sealedPlaces } from './owner-roots.ts';
import { numberOf, placeOf } from './place.ts';
import { blob, integer } from './rows.ts';
import type { SpoolReader } from './spool-reader.ts';
import { generationOf, type StorageVaults } from './storage-vaults.ts';
import type { StreamVault } from './stream-vault.ts';

export class LogWriter {
  readonly #stored: SpoolReader;
  readonly #index: IndexWriter;
  readonly #vaults: StorageVaults;
  readonly #atCommitPoint: AtCommitPoint;
  /** The log that is written; none before its first session. */
  #log: number | undefined;
  /** Of this log: names of streams whose roots are durable, and how many of them its chunks have named. */
  #streams: readonly string[];
  #announced: number;
  /** None: the unit has no owner. */
  #sealToOwner: SealToOwner | undefined;

  constructor(
    stored: SpoolReader,
    index: IndexWriter,
    vaults: StorageVaults,
    atCommitPoint: AtCommitPoint,
  ) {
    this.#stored = stored;
    this.#index = index;
    this.#vaults = vaults;
    this.#atCommitPoint = atCommitPoint;
    this.#log = stored.identity()?.log;
    this.#streams = this.#log === undefined ? [] : namesOf(stored.streams(this.#log));
    this.#announced = this.#log === undefined ? 0 : stored.announcedStreams(this.#log);
  }

  /** The log that is written. */
  get current(): number {
    if (this.#log === undefined) throw new RangeError('expected a session before what it signs');
    return this.#log;
  }

  /** From now on roots are sealed to the owner in the transaction that makes them durable. */
  sealRootsTo(sealToOwner: SealToOwner): void {
    this.#sealToOwner = sealToOwner;
  }

  /**
   * Of streams that were made before the unit had an owner, while it still has their roots: in all logs of the owner's
   * epoch, in one transaction. A kill before it: the next start does it.
   */
  sealMissingRoots(): void {
    const { sql } = this.#index;
    const known = this.#stored.identity();
    if (this.#sealToOwner === undefined || known === undefined) return;
    const sealed = sealedPlaces(sql);
    const missing = this.#keyRows(known).filter(({ log, firstOrdinal }) => {
      return !sealed.has(placeOf(log, firstOrdinal));
    });
    if (missing.length === 0) return;
    this.#index.commit(() => {
      for (const { log, firstOrdinal, streams } of missing) {
        this.#sealRoots(log, firstOrdinal, streams);
      }
    });
    this.#atCommitPoint('streams-committed');
  }

  /** Of all logs of this tag and epoch. */
  #keyRows({ tag, epoch }: LogIdentity) {
    const { sql } = this.#index;
    const logs = sql
      .all('SELECT number FROM log WHERE tag = ? AND epoch = ? ORDER BY number', [tag, epoch])
      .map((row) => integer(row, 'number'));
    return logs.flatMap((log) => {
      const range = [placeOf(log, 0), placeOf(log, JOURNAL_ORDINAL)];
      const rows = () =>
        sql.all('SELECT * FROM stream_roots WHERE place BETWEEN ? AND ? ORDER BY place', range);
      const streams = this.#vaults.open(sql, rows, (vault, row) => {
        const firstOrdinal = numberOf(integer(row, 'place'));
        const sealedRow = { salt: blob(row, 'salt'), sealed: blob(row, 'sealed') };
        return { log, firstOrdinal, streams: vault.open(log, firstOrdinal, sealedRow) };
      });
      const nodes = this.#stored.journalKeys(log);
      const journal = { log, firstOrdinal: JOURNAL_ORDINAL };
      return nodes === undefined
        ? streams
        : [...streams, { ...journal, streams: [{ name: RECORDS.journal, nodes }] }];
    });
  }

  /** How many of the log's streams its chunks have named. */
  get announced(): number {
    return this.#announced;
  }

  /**
   * Durable: which log this is, and the session's certified public key. Its secret is on no disk, so
   * if the process dies now the session signs nothing more, and the next start is a new session.
   */
  commitSession(identity: LogIdentity, session: StoredSession): void {
    this.#index.commit(() => this.insertSession(identity, session));
    this.#log ??= identity.log;
    this.#atCommitPoint('session-committed');
  }

  /** In the transaction of the chunk that the session recovered, or in one of its own. */
  insertSession(identity: LogIdentity, session: StoredSession): void {
    this.#index.sql.run(
      'INSERT OR IGNORE INTO log (number, tag, epoch, device_key_id) VALUES (?, ?, ?, ?)',
      identity.log,
      identity.tag,
      identity.epoch,
      identity.deviceKeyId,
    );
    this.#index.sql.run(
      'INSERT INTO session VALUES (?, ?, ?)',
      placeOf(identity.log, session.number),
      session.id,
      session.record,
    );
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
    const before = this.#stored.identity();
    if (before === undefined) throw new RangeError('expected a log before a new one');
    const log = Math.max(before.log, predecessor.log) + 1;
    this.#index.commit(() => {
      this.#index.sql.run(
        'DELETE FROM span WHERE statement IN (SELECT place FROM statement WHERE acceptance IS NULL AND inclusion IS NULL)',
      );
      this.#index.sql.run('DELETE FROM statement WHERE acceptance IS NULL AND inclusion IS NULL');
      this.#index.sql.run(
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
    this.#index.commit(() => this.#insertStreams(this.#streams.length, roots));
    this.#streams = [...this.#streams, ...namesOf(roots)];
    this.#atCommitPoint('streams-committed');
  }

  /** Once in a log, before its first journal block: without this root no block of it could be opened again. */
  commitJournal({ nodes }: StoredStream): void {
    const log = this.current;
    const { salt, sealed } = this.#vault().sealJournal(log, nodes);
    this.#index.commit(() => {
      this.#index.sql.run('INSERT INTO journal_root VALUES (?, ?, ?)', log, salt, sealed);
      this.#sealRoots(log, JOURNAL_ORDINAL, [{ name: RECORDS.journal, nodes }]);
    });
    this.#atCommitPoint('streams-committed');
  }

  /**
   * Those of them whose roots are not durable yet.
   * @param named streams by ordinal, from the first that no chunk has named
   */
  notStored(named: readonly StoredStream[]): readonly StoredStream[] {
    const stored = this.#streams.slice(this.#announced);
    const differs = named.findIndex(
      (stream, i) => stored[i] !== undefined && stored[i] !== stream.name,
    );
    // A leaf under another root than the stored one could never be opened again.
    if (differs >= 0) throw new RangeError(`expected streams in the order of their roots`);
    return named.slice(stored.length);
  }

  /** In the transaction of the chunks that name them first. @param fresh from `notStored` */
  insertFresh(fresh: readonly StoredStream[]): void {
    if (fresh.length > 0) this.#insertStreams(this.#streams.length, fresh);
  }

  /** Once the transaction is durable: so many more streams are named, and these roots of them are new. */
  announce(named: number, fresh: readonly StoredStream[]): void {
    this.#streams = [...this.#streams, ...namesOf(fresh)];
    this.#announced += named;
  }

  #insertStreams(firstOrdinal: number, streams: readonly StoredStream[]): void {
    const log = this.current;
    // A row without its roots would be one that nobody can ever open.
    if (!streams.every((stream) => rootOf(stream) !== undefined)) {
      throw new RangeError('expected new streams to have their roots');
    }
    const { salt, sealed } = this.#vault().seal(log, firstOrdinal, streams);
    this.#index.sql.run(
      'INSERT INTO stream_roots VALUES (?, ?, ?)',
      placeOf(log, firstOrdinal),
      salt,
      sealed,
    );
    this.#sealRoots(log, firstOrdinal, streams);
  }

  #sealRoots(log: number, firstOrdinal: number, streams: readonly StoredStream[]): void {
    const identity = this.#stored.identity();
    if (this.#sealToOwner === undefined || identity === undefined) return;
    const place = { ...identity, log };
    insertSealedRoots(this.#index.sql, this.#sealToOwner, place, firstOrdinal, streams);
  }

  #vault(): StreamVault {
    return this.#vaults.of(generationOf(this.#index.sql));
  }
}

function namesOf(streams: readonly StoredStream[]): readonly string[] {
  return streams.map(({ name }) => name);
}
