/** Reads a spool: for start-up, for the uplink and for disclosure. Changes nothing. */
import { join } from 'node:path';
import type Database from 'better-sqlite3';
import { OperationalError } from '../../core/errors.ts';
import type { KeyNode } from '../../core/key-tree.ts';
import { decodeAnchoredWindow } from '../../core/receipt.ts';
import type { SealedRoots } from '../../core/sealed-roots.ts';
import { MAX_SEQ } from '../../core/vehicle-log.ts';
import type {
  CustodyEnd,
  CustodyOfErased,
  NamedBlock,
  StampableWindow,
  StatementPlace,
  StoredChunk,
  StoredLog,
  StoredPromise,
  StoredSession,
  StoredStatement,
  StoredStream,
  StoredWindow,
} from '../ports.ts';
import { storageError } from '../storage-error.ts';
import { asideCounts, behind, NOT_ASIDE } from './aside.ts';
import { custodyOfErased } from './custody-leaves.ts';
import { toCustodyEnd, toCustodyFile } from './custody-rows.ts';
import { isErased } from './erased-chunks.ts';
import {
  beaconsOf,
  countHops,
  lastBeacon,
  linksBetween,
  newestAnchor,
  unlinkedBlocks,
  windowLinks,
} from './link-rows.ts';
import { sealedRootsIn } from './owner-roots.ts';
import { logOf, numberOf, placeOf } from './place.ts';
import { PreparedStatements } from './prepared-statements.ts';
import { promisesIn } from './promises.ts';
import { blob, integer, integerOrNone, type Row, text } from './rows.ts';
import { type BodiesEnd, isGivenUp, readBody } from './segment-files.ts';
import type { StorageVaults } from './storage-vaults.ts';
import type { SealedStreams } from './stream-vault.ts';
import { toStatement } from './to-statement.ts';
import { type Extent, uncovered } from './uncovered.ts';

/** Chunks that must not be evicted; those that are still to come included. */
export type StoredHold = {
  readonly number: number;
  readonly log: number;
  /** Both ends are held. */
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly reason: string;
};

/** With the statement of the last span that starts at or before the chunk, when the span reaches it. */
const CHUNKS = `
  SELECT chunk.*, span.statement FROM chunk LEFT JOIN span ON span.first_chunk =
    (SELECT max(first_chunk) FROM span WHERE first_chunk <= chunk.place)
    AND chunk.place < span.first_chunk + span.count`;

export class SpoolReader {
  readonly #segments: string;
  readonly #vaults: StorageVaults;
  protected readonly sql: PreparedStatements;

  constructor(folder: string, database: Database.Database, vaults: StorageVaults) {
    this.#segments = join(folder, 'segments');
    this.#vaults = vaults;
    this.sql = new PreparedStatements(database);
  }

  /** The log that is written now, the highest. Undefined before the first session was committed. */
  identity(): StoredLog | undefined {
    return this.#all('SELECT * FROM log ORDER BY number DESC LIMIT 1').map(toLog)[0];
  }

  /**
   * By ordinal; also those that no chunk has named yet. With what the unit has not forgotten of each.
   * @throws UserError KEY_FILE_*; OperationalError STORAGE_KEY_WRONG
   */
  streams(log: number): readonly StoredStream[] {
    const rows = () =>
      this.#inLog('SELECT * FROM stream_roots WHERE place BETWEEN ? AND ? ORDER BY place', log);
    return this.#vaults
      .open(this.sql, rows, (vault, row) =>
        vault.open(log, numberOf(integer(row, 'place')), sealedIn(row)),
      )
      .flat();
  }

  /** Of `records/journal`; undefined before the log's first journal block. @throws as `streams` */
  journalKeys(log: number): readonly KeyNode[] | undefined {
    const rows = () => this.#all('SELECT * FROM journal_root WHERE log = ?', log);
    return this.#vaults.open(this.sql, rows, (vault, row) =>
      vault.openJournal(log, sealedIn(row)),
    )[0];
  }

  /** Roots that only the owner's recovery key opens, of all logs. Needs no storage key. */
  sealedRoots(): readonly SealedRoots[] {
    return this.#read(() => sealedRootsIn(this.sql));
  }

  /** How many of them the log's chunks have named: the first ones by ordinal. */
  announcedStreams(log: number): number {
    return this.lastChunk(log)?.announced ?? 0;
  }

  /** Ascending. */
  sessions(log: number): readonly StoredSession[] {
    return this.#inLog('SELECT * FROM session WHERE place BETWEEN ? AND ?', log).map(toSession);
  }

  session(log: number, number: number): StoredSession | undefined {
    return this.#all('SELECT * FROM session WHERE place = ?', placeOf(log, number)).map(
      toSession,
    )[0];
  }

  /** Of all logs. */
  committedFrames(): number {
    const [row] = this.#all('SELECT coalesce(sum(frames), 0) AS frames FROM chunk');
    return row === undefined ? 0 : integer(row, 'frames');
  }

  lastChunk(log: number): StoredChunk | undefined {
    const sql = `${CHUNKS} WHERE chunk.place BETWEEN ? AND ? ORDER BY chunk.place DESC LIMIT 1`;
    return this.#inLog(sql, log).map(toChunk)[0];
  }

  /** The last that was committed, of whichever log. */
  newestChunk(): StoredChunk | undefined {
    return this.#all(`${CHUNKS} ORDER BY chunk.place DESC LIMIT 1`).map(toChunk)[0];
  }

  lastStatement(log: number): StoredStatement | undefined {
    const sql = 'SELECT * FROM statement WHERE place BETWEEN ? AND ? ORDER BY place DESC LIMIT 1';
    return this.#inLog(sql, log).map(toStatement)[0];
  }

  hasAcceptedBehind(log: number, seq: number): boolean {
    const sql =
      'SELECT place FROM statement WHERE place > ? AND place <= ? AND acceptance IS NOT NULL LIMIT 1';
    return this.#all(sql, placeOf(log, seq), placeOf(log, MAX_SEQ)).length > 0;
  }

  /** Ascending; from and to are inclusive. */
  chunks(log: number, fromSeq: number, toSeq: number): readonly StoredChunk[] {
    return this.#all(
      `${CHUNKS} WHERE chunk.place BETWEEN ? AND ? ORDER BY chunk.place`,
      placeOf(log, fromSeq),
      placeOf(log, Math.min(toSeq, MAX_SEQ)),
    ).map(toChunk);
  }

  /** That no statement covers, of all logs, ascending. */
  unbatchedChunks(): readonly StoredChunk[] {
    const extents = this.#all('SELECT number FROM log ORDER BY number').flatMap((row) => {
      const [ends] = this.#inLog(
        'SELECT min(place) AS first, max(place) AS last FROM chunk WHERE place BETWEEN ? AND ?',
        integer(row, 'number'),
      );
      const isEmpty = ends === undefined || integerOrNone(ends, 'first') === undefined;
      return isEmpty ? [] : toExtent(ends);
    });
    const covered = this.#all(
      'SELECT first_chunk AS first, first_chunk + count - 1 AS last FROM span ORDER BY first_chunk',
    ).map(toExtent);
    return uncovered(extents, covered).flatMap(({ first, last }) =>
      this.#all(
        `${CHUNKS} WHERE chunk.place BETWEEN ? AND ? ORDER BY chunk.place`,
        first,
        last,
      ).map(toChunk),
    );
  }

  /** Ascending; from and to are inclusive. */
  statements(log: number, fromSeq: number, toSeq: number): readonly StoredStatement[] {
    return this.#all(
      'SELECT * FROM statement WHERE place BETWEEN ? AND ? ORDER BY place',
      placeOf(log, fromSeq),
      placeOf(log, toSeq),
    ).map(toStatement);
  }

  /** That cover any of these chunks, ascending by place; from and to are inclusive. */
  statementsOver(log: number, fromSeq: number, toSeq: number): readonly StoredStatement[] {
    const from = placeOf(log, fromSeq);
    return this.#all(
      `SELECT * FROM statement WHERE place IN
         (SELECT statement FROM span
          WHERE first_chunk >= coalesce((SELECT max(first_chunk) FROM span WHERE first_chunk <= ?), 0)
            AND first_chunk <= ? AND first_chunk + count > ?)
       ORDER BY place`,
      from,
      placeOf(log, Math.min(toSeq, MAX_SEQ)),
      from,
    ).map(toStatement);
  }

  /** Without the service's word and not put aside, oldest first. */
  unacceptedStatements(limit: number): readonly StoredStatement[] {
    return this.#all(
      `SELECT * FROM statement WHERE acceptance IS NULL AND inclusion IS NULL AND ${NOT_ASIDE}
       ORDER BY place LIMIT ?`,
      limit,
    ).map(toStatement);
  }

  /** Put aside, behind that place, oldest first. */
  asideStatements(place: StatementPlace | undefined, limit: number): readonly StoredStatement[] {
    return this.#all(
      `SELECT statement.* FROM aside_statement JOIN statement USING (place)
       WHERE place > ? ORDER BY place LIMIT ?`,
      behind(place),
      limit,
    ).map(toStatement);
  }

  /** Statements that a service refuses. */
  asideCount(): number {
    return asideCounts(this.sql).reduce((sum, { count }) => sum + count, 0);
  }

  /** Ids of statements that were accepted and have no receipt, oldest first, without the first so many. */
  unreceiptedStatements(limit: number, skip: number): readonly Uint8Array[] {
    return this.#all(
      `SELECT id FROM statement WHERE acceptance IS NOT NULL AND inclusion IS NULL
       ORDER BY place LIMIT ? OFFSET ?`,
      limit,
      skip,
    ).map((row) => blob(row, 'id'));
  }

  /** Statements without a receipt that are not put aside. */
  waitingCount(): number {
    const [row] = this.#all(
      `SELECT count(*) AS count FROM statement WHERE inclusion IS NULL AND ${NOT_ASIDE}`,
    );
    return row === undefined ? 0 : integer(row, 'count');
  }

  /** Statements without the service's word that are not put aside. */
  unacceptedCount(): number {
    const [row] = this.#all(
      `SELECT count(*) AS count FROM statement
       WHERE acceptance IS NULL AND inclusion IS NULL AND ${NOT_ASIDE}`,
    );
    return row === undefined ? 0 : integer(row, 'count');
  }

  statementById(id: Uint8Array): StoredStatement | undefined {
    return this.#all('SELECT * FROM statement WHERE id = ?', id).map(toStatement)[0];
  }

  /** Words of services for statements that have no receipt, or had none in time. Ascending by statement. */
  promises(): readonly StoredPromise[] {
    return promisesIn(this.sql);
  }

  window(hash: Uint8Array): StoredWindow | undefined {
    return this.#all('SELECT * FROM anchored_window WHERE hash = ?', hash).map((row) => ({
      bytes: blob(row, 'bytes'),
      link: blob(row, 'link'),
    }))[0];
  }

  newestAnchor(chainId: bigint): NamedBlock | undefined {
    return this.#read(() => newestAnchor(this.sql, chainId));
  }

  windowLinks(chainId: bigint, fromBlock: bigint, limit: number): readonly Uint8Array[] {
    return this.#read(() => windowLinks(this.sql, chainId, fromBlock, limit));
  }

  links(chainId: bigint, from: bigint, to: bigint, limit: number): readonly Uint8Array[] {
    const order = { newestFirst: true, limit };
    return this.#read(() => linksBetween(this.sql, chainId, { from, to }, order));
  }

  linksFrom(chainId: bigint, block: bigint, limit: number): readonly Uint8Array[] {
    const range = { from: block, to: BigInt(Number.MAX_SAFE_INTEGER) };
    const order = { newestFirst: false, limit };
    return this.#read(() => linksBetween(this.sql, chainId, range, order));
  }

  lastBeacon(chainId: bigint): NamedBlock | undefined {
    return this.#read(() => lastBeacon(this.sql, chainId));
  }

  beaconsOf({ log, seq }: StatementPlace): readonly NamedBlock[] {
    return this.#read(() => beaconsOf(this.sql, placeOf(log, seq)));
  }

  unlinkedBlocks(chainId: bigint, limit: number): readonly NamedBlock[] {
    return this.#read(() => unlinkedBlocks(this.sql, chainId, limit));
  }

  countHops(): number {
    return this.#read(() => countHops(this.sql));
  }

  stampOf(windowHash: Uint8Array): Uint8Array | undefined {
    const sql = `SELECT bytes FROM time_stamp
       JOIN stamped_window ON stamped_window.stamp = time_stamp.number WHERE hash = ?`;
    return this.#all(sql, windowHash).map((row) => blob(row, 'bytes'))[0];
  }

  unstampedWindows(limit: number): readonly StampableWindow[] {
    return this.#all(
      `SELECT anchored_window.hash, bytes FROM anchored_window
         JOIN (SELECT window_hash, max(place) AS place FROM statement
           WHERE window_hash IS NOT NULL GROUP BY window_hash) AS named ON named.window_hash = hash
       WHERE NOT EXISTS (SELECT 1 FROM stamped_window WHERE stamped_window.hash = anchored_window.hash)
       ORDER BY place DESC LIMIT ?`,
      limit,
    ).map((row) => ({
      hash: blob(row, 'hash'),
      record: decodeAnchoredWindow(blob(row, 'bytes')).record,
    }));
  }

  unstampedCount(): number {
    const [row] = this.#all(
      `SELECT count(*) AS count FROM anchored_window WHERE NOT EXISTS
         (SELECT 1 FROM stamped_window WHERE stamped_window.hash = anchored_window.hash)`,
    );
    return row === undefined ? 0 : integer(row, 'count');
  }

  /** The newest record of each custody stream of the log, by the stream's name. */
  custodyEnds(log: number): ReadonlyMap<string, CustodyEnd> {
    const rows = this.#inLog('SELECT * FROM custody_end WHERE place BETWEEN ? AND ?', log);
    const names = rows.length === 0 ? [] : this.streams(log).map(({ name }) => name);
    return new Map(
      rows.map((row) => {
        const { ordinal, ...end } = toCustodyEnd(row);
        return [names[ordinal] ?? '', end];
      }),
    );
  }

  /** Under which name a record lay in the inbox that a chunk of whichever log holds now. */
  custodyFile(identity: Uint8Array): string | undefined {
    const sql = 'SELECT file FROM custody_sealed WHERE identity = ?';
    return this.#all(sql, identity).map(toCustodyFile)[0];
  }

  /** Chunks that hold custody records, ascending. */
  custodyChunks(): readonly StoredChunk[] {
    const sql = `${CHUNKS} WHERE chunk.place IN (SELECT chunk FROM custody_sealed) ORDER BY chunk.place`;
    return this.#all(sql).map(toChunk);
  }

  /** Ascending by number. */
  holds(): readonly StoredHold[] {
    return this.#all('SELECT * FROM hold ORDER BY number').map((row) => {
      const first = integer(row, 'first_chunk');
      return {
        number: integer(row, 'number'),
        log: logOf(first),
        fromSeq: numberOf(first),
        toSeq: numberOf(integer(row, 'last_chunk')),
        reason: text(row, 'reason'),
      };
    });
  }

  /** What is left of a chunk that was erased and holds custody records; undefined of every other chunk. */
  custodyOfErased(log: number, seq: number): CustodyOfErased | undefined {
    return this.#read(() => custodyOfErased(this.sql, placeOf(log, seq)));
  }

  /** @throws OperationalError SPOOL_BODY_ERASED, SPOOL_BODY_EVICTED, SPOOL_BODY_MISSING */
  body(log: number, seq: number): Uint8Array {
    const [row] = this.#all(
      'SELECT segment, offset, length FROM chunk WHERE place = ?',
      placeOf(log, seq),
    );
    if (row === undefined) {
      throw new OperationalError(
        'SPOOL_BODY_MISSING',
        `chunk ${seq} of log ${log} is not in the spool`,
        { retryable: false },
      );
    }
    if (isErased(this.sql, placeOf(log, seq))) throw bodyErased(log, seq);
    const segment = integer(row, 'segment');
    const place = { segment, offset: integer(row, 'offset'), length: integer(row, 'length') };
    try {
      return readBody(this.#segments, place);
    } catch (error) {
      if (this.#isEvicted(segment)) throw bodyEvicted(log, seq);
      throw error;
    }
  }

  /** The name before the row: an eviction beside this reader may stand between the two. */
  #isEvicted(segment: number): boolean {
    const rows = () => this.#all('SELECT 1 FROM segment WHERE number = ? AND evicted = 1', segment);
    return isGivenUp(this.#segments, segment) || rows().length > 0;
  }

  /** Where the last indexed body ends. */
  bodiesEnd(): BodiesEnd | undefined {
    const [row] = this.#all(
      'SELECT segment, offset + length AS end FROM chunk ORDER BY place DESC LIMIT 1',
    );
    return row && { segment: integer(row, 'segment'), offset: integer(row, 'end') };
  }

  #inLog(sql: string, log: number): readonly Row[] {
    return this.#all(sql, placeOf(log, 0), placeOf(log, MAX_SEQ));
  }

  #all(sql: string, ...parameters: readonly (number | Uint8Array)[]): readonly Row[] {
    return this.#read(() => this.sql.all(sql, parameters));
  }

  #read<T>(read: () => T): T {
    try {
      return read();
    } catch (cause) {
      throw storageError(cause);
    }
  }
}

function bodyErased(log: number, seq: number): OperationalError {
  return new OperationalError(
    'SPOOL_BODY_ERASED',
    `chunk ${seq} of log ${log} was erased on its owner's order`,
    { retryable: false },
  );
}

function bodyEvicted(log: number, seq: number): OperationalError {
  return new OperationalError(
    'SPOOL_BODY_EVICTED',
    `the body of chunk ${seq} of log ${log} is no longer kept: it made room for newer ones`,
    { retryable: false },
  );
}

function sealedIn(row: Row): SealedStreams {
  return { salt: blob(row, 'salt'), sealed: blob(row, 'sealed') };
}

function toLog(row: Row): StoredLog {
  const predecessorLog = integerOrNone(row, 'predecessor_log');
  return {
    tag: blob(row, 'tag'),
    epoch: integer(row, 'epoch'),
    log: integer(row, 'number'),
    deviceKeyId: blob(row, 'device_key_id'),
    predecessor:
      predecessorLog === undefined
        ? undefined
        : {
            log: predecessorLog,
            statementSeq: integer(row, 'predecessor_seq'),
            statementId: blob(row, 'predecessor_id'),
          },
  };
}

function toExtent(row: Row): Extent {
  return { first: integer(row, 'first'), last: integer(row, 'last') };
}

function toSession(row: Row): StoredSession {
  return {
    number: numberOf(integer(row, 'place')),
    id: blob(row, 'id'),
    record: blob(row, 'record'),
  };
}

function toChunk(row: Row): StoredChunk {
  const place = integer(row, 'place');
  const statement = integerOrNone(row, 'statement');
  return {
    log: logOf(place),
    seq: numberOf(place),
    session: numberOf(integer(row, 'session')),
    header: blob(row, 'header'),
    signature: blob(row, 'signature'),
    frames: integer(row, 'frames'),
    bodyBytes: integer(row, 'length'),
    cursor: integer(row, 'cursor'),
    announced: integer(row, 'announced'),
    statement:
      statement === undefined ? undefined : { log: logOf(statement), seq: numberOf(statement) },
  };
}
