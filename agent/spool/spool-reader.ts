/** Reads a spool: for start-up, for the uplink and for disclosure. Changes nothing. */
import { join } from 'node:path';
import type Database from 'better-sqlite3';
import { OperationalError } from '../../core/errors.ts';
import type {
  LogIdentity,
  StoredChunk,
  StoredSession,
  StoredStatement,
  StoredStream,
  StoredWindow,
} from '../ports.ts';
import { storageError } from '../storage-error.ts';
import { asRow, blob, blobOrNone, integer, integerOrNone, type Row } from './rows.ts';
import { type BodiesEnd, readBody } from './segment-files.ts';
import type { StreamVault } from './stream-vault.ts';

export class SpoolReader {
  readonly #folder: string;
  readonly #database: Database.Database;
  readonly #vault: StreamVault;

  constructor(folder: string, database: Database.Database, vault: StreamVault) {
    this.#folder = folder;
    this.#database = database;
    this.#vault = vault;
  }

  /** Undefined before the first session was committed. */
  identity(): LogIdentity | undefined {
    const row = this.#database.prepare('SELECT * FROM log').get();
    if (row === undefined) return undefined;
    const log = asRow(row);
    return {
      tag: blob(log, 'tag'),
      epoch: integer(log, 'epoch'),
      log: integer(log, 'number'),
      deviceKeyId: blob(log, 'device_key_id'),
    };
  }

  /** By ordinal. @throws OperationalError STORAGE_KEY_WRONG */
  streams(): readonly StoredStream[] {
    return this.#all('SELECT * FROM stream_roots ORDER BY first_ordinal').flatMap((row) =>
      this.#vault.open(integer(row, 'first_ordinal'), {
        salt: blob(row, 'salt'),
        sealed: blob(row, 'sealed'),
      }),
    );
  }

  sessions(): readonly StoredSession[] {
    return this.#all('SELECT * FROM session ORDER BY number').map(toSession);
  }

  session(number: number): StoredSession | undefined {
    return this.#all('SELECT * FROM session WHERE number = ?', number).map(toSession)[0];
  }

  committedFrames(): number {
    const [row] = this.#all('SELECT coalesce(sum(frames), 0) AS frames FROM chunk');
    return row === undefined ? 0 : integer(row, 'frames');
  }

  lastChunk(): StoredChunk | undefined {
    return this.#all('SELECT * FROM chunk ORDER BY seq DESC LIMIT 1').map(toChunk)[0];
  }

  lastStatement(): StoredStatement | undefined {
    return this.#all('SELECT * FROM statement ORDER BY seq DESC LIMIT 1').map(toStatement)[0];
  }

  /** Ascending; from and to are inclusive. */
  chunks(fromSeq: number, toSeq: number): readonly StoredChunk[] {
    return this.#all(
      'SELECT * FROM chunk WHERE seq BETWEEN ? AND ? ORDER BY seq',
      fromSeq,
      toSeq,
    ).map(toChunk);
  }

  unbatchedChunks(): readonly StoredChunk[] {
    return this.#all('SELECT * FROM chunk WHERE statement IS NULL ORDER BY seq').map(toChunk);
  }

  /** Ascending. */
  statements(fromSeq: number, toSeq: number): readonly StoredStatement[] {
    return this.#all(
      'SELECT * FROM statement WHERE seq BETWEEN ? AND ? ORDER BY seq',
      fromSeq,
      toSeq,
    ).map(toStatement);
  }

  /** Without the service's word, oldest first. */
  unacceptedStatements(limit: number): readonly StoredStatement[] {
    return this.#all(
      'SELECT * FROM statement WHERE acceptance IS NULL AND inclusion IS NULL ORDER BY seq LIMIT ?',
      limit,
    ).map(toStatement);
  }

  /** Ids of statements that were accepted and have no receipt, oldest first. */
  unreceiptedStatements(limit: number): readonly Uint8Array[] {
    return this.#all(
      'SELECT id FROM statement WHERE acceptance IS NOT NULL AND inclusion IS NULL ORDER BY seq LIMIT ?',
      limit,
    ).map((row) => blob(row, 'id'));
  }

  /** Statements without a receipt. */
  waitingCount(): number {
    const [row] = this.#all('SELECT count(*) AS count FROM statement WHERE inclusion IS NULL');
    return row === undefined ? 0 : integer(row, 'count');
  }

  statementById(id: Uint8Array): StoredStatement | undefined {
    return this.#all('SELECT * FROM statement WHERE id = ?', id).map(toStatement)[0];
  }

  window(hash: Uint8Array): StoredWindow | undefined {
    return this.#all('SELECT * FROM anchored_window WHERE hash = ?', hash).map((row) => ({
      bytes: blob(row, 'bytes'),
      link: blob(row, 'link'),
    }))[0];
  }

  /** @throws OperationalError SPOOL_BODY_MISSING */
  body(seq: number): Uint8Array {
    const [row] = this.#all('SELECT segment, offset, length FROM chunk WHERE seq = ?', seq);
    if (row === undefined) {
      throw new OperationalError('SPOOL_BODY_MISSING', `chunk ${seq} is not in the spool`, {
        retryable: false,
      });
    }
    return readBody(join(this.#folder, 'segments'), {
      segment: integer(row, 'segment'),
      offset: integer(row, 'offset'),
      length: integer(row, 'length'),
    });
  }

  /** Where the last indexed body ends. */
  bodiesEnd(): BodiesEnd | undefined {
    const [row] = this.#all(
      'SELECT segment, offset + length AS end FROM chunk ORDER BY seq DESC LIMIT 1',
    );
    return row && { segment: integer(row, 'segment'), offset: integer(row, 'end') };
  }

  #all(sql: string, ...parameters: readonly (number | Uint8Array)[]): readonly Row[] {
    try {
      return this.#database
        .prepare(sql)
        .all(...parameters)
        .map(asRow);
    } catch (cause) {
      throw storageError(cause);
    }
  }
}

function toSession(row: Row): StoredSession {
  return { number: integer(row, 'number'), id: blob(row, 'id'), record: blob(row, 'record') };
}

function toChunk(row: Row): StoredChunk {
  return {
    seq: integer(row, 'seq'),
    session: integer(row, 'session'),
    header: blob(row, 'header'),
    signature: blob(row, 'signature'),
    frames: integer(row, 'frames'),
    bodyBytes: integer(row, 'length'),
    cursor: integer(row, 'cursor'),
    statement: integerOrNone(row, 'statement'),
  };
}

function toStatement(row: Row): StoredStatement {
  return {
    seq: integer(row, 'seq'),
    id: blob(row, 'id'),
    session: integer(row, 'session'),
    bytes: blob(row, 'bytes'),
    acceptance: blobOrNone(row, 'acceptance'),
    inclusion: blobOrNone(row, 'inclusion'),
    windowHash: blobOrNone(row, 'window_hash'),
  };
}
