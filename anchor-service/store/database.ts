/** Opens the service's SQLite file so that a commit that returned survives a power cut, for one process at a time. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { unverifiedPayload } from '../../core/cose.ts';
import { OperationalError } from '../../core/errors.ts';
import { decodeStatement } from '../../core/statement.ts';
import { SCHEMA_STEPS } from './schema.ts';

/** @throws OperationalError DATA_FOLDER_UNWRITABLE, DATA_FOLDER_IN_USE, STORE_DAMAGED, STORE_TOO_NEW */
export function openDatabase(dataDir: string): Database.Database {
  let db: Database.Database | undefined;
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    db = new Database(join(dataDir, 'anchor-service.sqlite'), { timeout: 0 });
    // Held until the process ends: a second service on this folder is refused, and a killed one leaves no lock.
    db.pragma('locking_mode = EXCLUSIVE');
    db.pragma('journal_mode = WAL');
    // better-sqlite3 is compiled with NORMAL, under which a power cut loses commits that returned.
    db.pragma('synchronous = FULL');
    db.pragma('foreign_keys = ON');
    migrate(db);
    return db;
  } catch (cause) {
    db?.close();
    throw openError(dataDir, cause);
  }
}

function migrate(db: Database.Database): void {
  db.transaction(() => {
    const version = Number(db.pragma('user_version', { simple: true }));
    if (version > SCHEMA_STEPS.length) {
      throw new OperationalError(
        'STORE_TOO_NEW',
        `expected a store of version ${SCHEMA_STEPS.length} at most, got ${version}`,
        { retryable: false },
      );
    }
    // A statement's seq was only inside its bytes.
    db.function('statement_seq', { deterministic: true }, (bytes: unknown) =>
      bytes instanceof Uint8Array ? decodeStatement(unverifiedPayload(bytes)).seq : null,
    );
    for (const step of SCHEMA_STEPS.slice(version)) db.exec(step);
    db.pragma(`user_version = ${SCHEMA_STEPS.length}`);
  }).exclusive();
}

function openError(dataDir: string, cause: unknown): OperationalError {
  if (cause instanceof OperationalError) return cause;
  const { code } = cause as { code?: unknown };
  const failed = (name: string, sentence: string): OperationalError =>
    new OperationalError(name, sentence, { retryable: false, cause });
  if (code === 'SQLITE_BUSY') {
    return failed('DATA_FOLDER_IN_USE', `another service is using the data folder ${dataDir}`);
  }
  if (code === 'SQLITE_NOTADB' || code === 'SQLITE_CORRUPT') {
    return failed('STORE_DAMAGED', `the store in ${dataDir} is damaged or is no store`);
  }
  return failed('DATA_FOLDER_UNWRITABLE', `the data folder ${dataDir} cannot be written`);
}
