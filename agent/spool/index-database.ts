/** Opens the spool's index with the durability that the rest relies on; the one importer of SQLite in the agent. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { OperationalError, UserError } from '../../core/errors.ts';
import { storageError } from '../storage-error.ts';
import { createSchema, indexState, migrateSchema } from './schema.ts';

const INDEX_FILE = 'index.db';
const LOCK_FILE = 'lock.db';

export function spoolExists(folder: string): boolean {
  return existsSync(join(folder, INDEX_FILE));
}

/** @throws OperationalError STORAGE_*, SPOOL_* */
export function openIndexForWriting(folder: string): Database.Database {
  return prepared(folder, (database) => {
    // First of all, since another program's file, or a newer agent's, must stay as it is.
    const state = indexState(database);
    // Rows are a few hundred bytes and come once a second: small pages write less for each commit.
    database.pragma('page_size = 1024');
    database.pragma('journal_mode = WAL');
    // The library is compiled for NORMAL in WAL mode, which may lose the last commits at a power cut.
    database.pragma('synchronous = FULL');
    // What is deleted is to be gone from the file's pages: an erasure cannot find later what was deleted before it. The
    // recorder hardly pays for it, since it only inserts.
    database.pragma('secure_delete = ON');
    // Rows are written once and hardly ever read: the library's 16 MB would fill with what nobody asks for again.
    database.pragma('cache_size = -1024');
    if (state === 'empty') createSchema(database);
    else if (state !== 'current') migrateSchema(database, state);
    database.pragma('foreign_keys = ON');
  });
}

/** @throws UserError SPOOL_MISSING; OperationalError STORAGE_*, SPOOL_* */
export function openIndexForReading(folder: string): Database.Database {
  if (!spoolExists(folder)) throw spoolMissing(folder);
  // Not read-only: in WAL mode a reader must be able to recover the log of a killed writer.
  return prepared(folder, (database) => {
    database.pragma('query_only = ON');
    const state = indexState(database);
    if (state === 'empty') throw spoolMissing(folder);
    if (state !== 'current') throw spoolOlder();
  });
}

function prepared(
  folder: string,
  prepare: (database: Database.Database) => void,
): Database.Database {
  let database: Database.Database | undefined;
  try {
    database = new Database(join(folder, INDEX_FILE));
    prepare(database);
    return database;
  } catch (cause) {
    database?.close();
    throw storageError(cause);
  }
}

function spoolMissing(folder: string): UserError {
  return new UserError('SPOOL_MISSING', `there is no spool in ${folder}`);
}

function spoolOlder(): OperationalError {
  return new OperationalError(
    'SPOOL_OLDER',
    'the spool was written by an older agent: the next start of this one migrates it',
    { retryable: false },
  );
}

/** Held until the process ends, however it ends. @throws OperationalError SPOOL_IN_USE */
export function lockSpool(folder: string): { release(): void } {
  let lock: Database.Database | undefined;
  try {
    lock = new Database(join(folder, LOCK_FILE), { timeout: 0 });
    // Nothing is written, so that it is held on a full disk as well.
    lock.pragma('journal_mode = MEMORY');
    lock.exec('BEGIN EXCLUSIVE');
    const held = lock;
    return { release: () => held.close() };
  } catch (cause) {
    lock?.close();
    const busy = cause instanceof Error && 'code' in cause && cause.code === 'SQLITE_BUSY';
    if (!busy) throw storageError(cause);
    throw new OperationalError('SPOOL_IN_USE', `another agent is writing the spool in ${folder}`, {
      retryable: false,
      cause,
    });
  }
}
