/** Opens the service's SQLite file so that a commit that returned survives a power cut. Two processes may share it (spec/lease.md). */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { unverifiedPayload } from '../../core/cose.ts';
import { OperationalError } from '../../core/errors.ts';
import { decodeStatement, type Span, type Statement } from '../../core/statement.ts';
import { anchoredTimeS } from '../anchored-time.ts';
import { isDiskFull } from './disk-full.ts';
import { requireTerm } from './fence.ts';
import { beatWithin } from './lease-store.ts';
import { SCHEMA_STEPS } from './schema.ts';

/**
 * Patience with another process's commit, which takes as long as its disk does. The process waits inside of SQLite and
 * does nothing else meanwhile: a standby can look again later, a leader has nothing to do without its store.
 */
const STANDBY_BUSY_MS = 500;
const LEADER_BUSY_MS = 15_000;

const CACHE_KIB = 64 * 1024;
/** Of 4 KiB: the log on disk stays near 64 MiB. */
const CHECKPOINT_PAGES = 16_384;

/** @throws OperationalError DATA_FOLDER_UNWRITABLE, DATA_FOLDER_IN_USE, DISK_FULL, STORE_DAMAGED, STORE_TOO_NEW */
export function openDatabase<T>(
  dataDir: string,
  prepare: (db: Database.Database) => T,
): { readonly db: Database.Database; readonly prepared: T } {
  let db: Database.Database | undefined;
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    db = new Database(join(dataDir, 'anchor-service.sqlite'), { timeout: STANDBY_BUSY_MS });
    db.pragma('journal_mode = WAL');
    // better-sqlite3 is compiled with NORMAL, under which a power cut loses commits that returned.
    db.pragma('synchronous = FULL');
    db.pragma('foreign_keys = ON');
    // Ids and labels are spread over all pages of their indexes. In the library's 2 MB a group commit would not fit,
    // and a copy into the main file after each 4 MB of log would write the same pages again and again.
    db.pragma(`cache_size = -${CACHE_KIB}`);
    db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    requireKnown(db);
    return { db, prepared: prepare(db) };
  } catch (cause) {
    db?.close();
    throw openError(dataDir, cause);
  }
}

/** By the holder of the lease alone: a standby of a newer version must not change what the older one works on. */
export function migrate(db: Database.Database, term: number): void {
  db.pragma(`busy_timeout = ${LEADER_BUSY_MS}`);
  // What is a column today was only inside the bytes of older stores.
  fromStatement(db, 'seq', ({ seq }) => seq);
  fromStatement(db, 'first_chunk', (statement) => ownSpan(statement)?.firstSeq ?? null);
  fromStatement(db, 'end_chunk', (statement) => {
    const own = ownSpan(statement);
    return own === undefined ? null : own.firstSeq + own.count;
  });
  db.function('anchored_time_s', { deterministic: true }, (anchored: unknown) =>
    anchored instanceof Uint8Array ? anchoredTimeS(anchored) : null,
  );
  db.transaction(() => {
    requireTerm(db, term);
    for (const step of SCHEMA_STEPS.slice(requireKnown(db))) db.exec(step);
    db.pragma(`user_version = ${SCHEMA_STEPS.length}`);
    // A large store takes longer than the lease is held.
    beatWithin(db)();
  }).immediate();
}

function requireKnown(db: Database.Database): number {
  const version = Number(db.pragma('user_version', { simple: true }));
  if (version <= SCHEMA_STEPS.length) return version;
  throw new OperationalError(
    'STORE_TOO_NEW',
    `expected a store of version ${SCHEMA_STEPS.length} at most, got ${version}`,
    { retryable: false },
  );
}

function fromStatement(
  db: Database.Database,
  name: string,
  read: (statement: Statement) => number | null,
): void {
  db.function(`statement_${name}`, { deterministic: true }, (bytes: unknown) =>
    bytes instanceof Uint8Array ? read(decodeStatement(unverifiedPayload(bytes))) : null,
  );
}

function ownSpan({ log, spans }: Statement): Span | undefined {
  return spans.find((span) => span.log === log);
}

function openError(dataDir: string, cause: unknown): OperationalError {
  const { code } = ((cause as { cause?: unknown }).cause ?? cause) as { code?: unknown };
  const failed = (name: string, sentence: string): OperationalError =>
    new OperationalError(name, sentence, { retryable: false, cause });
  if (code === 'SQLITE_BUSY') {
    return failed('DATA_FOLDER_IN_USE', `another program holds the data folder ${dataDir}`);
  }
  if (isDiskFull({ code })) return failed('DISK_FULL', `the disk under ${dataDir} is full`);
  if (code === 'SQLITE_NOTADB' || code === 'SQLITE_CORRUPT') {
    return failed('STORE_DAMAGED', `the store in ${dataDir} is damaged or is no store`);
  }
  if (cause instanceof OperationalError && cause.code === 'STORE_TOO_NEW') return cause;
  return failed('DATA_FOLDER_UNWRITABLE', `the data folder ${dataDir} cannot be written`);
}
