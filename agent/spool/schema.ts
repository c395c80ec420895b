/**
 * Tables of the spool's index and the invariants that they carry.
 * Implements spec/spool.md, "Index".
 */
import type Database from 'better-sqlite3';
import { OperationalError } from '../../core/errors.ts';
import { ASIDE_SCHEMA } from './aside.ts';
import { CUSTODY_LEAVES_SCHEMA } from './custody-leaves.ts';
import { CUSTODY_SCHEMA } from './custody-rows.ts';
import { ERASED_SCHEMA } from './erased-chunks.ts';
import { KEYS_SCHEMA } from './keys-schema.ts';
import { migrateFrom1, migrateFrom2, migrateFrom3 } from './migration.ts';
import { PROMISES_SCHEMA } from './promises.ts';

/** `user_version` of the index. A newer one is refused: an older agent must not write what it does not know. */
const SCHEMA_VERSION = 9;
/** `application_id` of the index, "wmkI": what tells it from another program's database. */
const APPLICATION_ID = 0x776d6b49;

/** A stamp covers the windows of an hour, each at most once. */
const STAMP_TABLES = `
  CREATE TABLE time_stamp (
    number INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
  );
  CREATE TABLE stamped_window (
    hash BLOB PRIMARY KEY REFERENCES anchored_window (hash) ON DELETE CASCADE,
    stamp INTEGER NOT NULL REFERENCES time_stamp (number)
  ) WITHOUT ROWID;
  CREATE INDEX stamped_window_stamp ON stamped_window (stamp);
`;

/**
 * What leads from the newest anchor to the older blocks that the evidence names. unlinked_block: what no link leads to
 * yet, and how often the service was asked for it.
 */
const LINK_TABLES = `
  CREATE INDEX anchored_window_block ON anchored_window (chain_id, block) WHERE block IS NOT NULL;
  CREATE TABLE header_hop (
    id BLOB PRIMARY KEY,
    chain_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    link BLOB NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX header_hop_number ON header_hop (chain_id, number);
  CREATE TABLE unlinked_block (
    chain_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hash BLOB NOT NULL,
    asked INTEGER NOT NULL,
    PRIMARY KEY (chain_id, number, hash)
  ) WITHOUT ROWID;
`;

/**
 * `place` is `placeOf(log, number)`, so that a row of any log is found by one integer and a commit at the end
 * of the log writes one page. Comments stand between the statements: inside one, SQLite would store them in
 * every spool.
 */
const SCHEMA = `
  -- The logs of one device key. The highest is the one that is written. predecessor: in a log above 0, the
  -- statement, unknown to this disk, that made it necessary.
  CREATE TABLE log (
    number INTEGER PRIMARY KEY,
    tag BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    device_key_id BLOB NOT NULL,
    predecessor_log INTEGER,
    predecessor_seq INTEGER,
    predecessor_id BLOB
  );
  CREATE TABLE session (
    place INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    record BLOB NOT NULL
  );
  -- Names and roots of the log's streams from this ordinal on, sealed under the storage key.
  CREATE TABLE stream_roots (
    place INTEGER PRIMARY KEY,
    salt BLOB NOT NULL,
    sealed BLOB NOT NULL
  );
  -- Root of records/journal, the stream without leaves; durable before the log's first journal block.
  CREATE TABLE journal_root (
    log INTEGER PRIMARY KEY,
    salt BLOB NOT NULL,
    sealed BLOB NOT NULL
  );
  -- bytes: the complete COSE_Sign1, sent again byte for byte and never signed again. acceptance: the
  -- service's signed word, as it came. session: a place, as in a chunk; not enforced, since a session could
  -- then be dropped only after a look at every chunk.
  CREATE TABLE statement (
    place INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    session INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    acceptance BLOB,
    inclusion BLOB,
    window_hash BLOB REFERENCES anchored_window (hash)
  );
  CREATE INDEX statement_unaccepted ON statement (place) WHERE acceptance IS NULL AND inclusion IS NULL;
  CREATE INDEX statement_waiting ON statement (place) WHERE inclusion IS NULL;
  CREATE INDEX statement_window ON statement (window_hash) WHERE window_hash IS NOT NULL;
  CREATE TABLE anchored_window (
    hash BLOB PRIMARY KEY,
    bytes BLOB NOT NULL,
    link BLOB NOT NULL,
    block INTEGER,
    chain_id INTEGER
  ) WITHOUT ROWID;
  ${LINK_TABLES}
  -- Chunks of one log that a statement covers, from this one on. Spans do not overlap; a chunk in none of
  -- them is not batched. Chunks bear no mark of their own: to write it, each row would be written twice.
  CREATE TABLE span (
    first_chunk INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    statement INTEGER NOT NULL REFERENCES statement (place)
  );
  CREATE INDEX span_statement ON span (statement);
  -- A row exists exactly when its body is synced in a segment file. cursor: in a replay the line of the last
  -- frame; a restart reads on after it. announced: how many streams of its log this chunk and those before
  -- have named.
  CREATE TABLE chunk (
    place INTEGER PRIMARY KEY,
    session INTEGER NOT NULL,
    header BLOB NOT NULL,
    signature BLOB NOT NULL,
    segment INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL,
    frames INTEGER NOT NULL,
    cursor INTEGER NOT NULL,
    announced INTEGER NOT NULL
  );
  -- From the first body in it on. first_chunk: bodies lie in the order of their chunks.
  CREATE TABLE segment (
    number INTEGER PRIMARY KEY,
    first_chunk INTEGER NOT NULL,
    evicted INTEGER NOT NULL
  );
  CREATE INDEX segment_kept ON segment (number) WHERE evicted = 0;
  -- What retention must not evict: both ends are in it, and the last may be a chunk still to come.
  CREATE TABLE hold (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    first_chunk INTEGER NOT NULL,
    last_chunk INTEGER NOT NULL,
    reason TEXT NOT NULL
  );
  ${STAMP_TABLES}
`;

const OLD_VERSIONS = [
  'version 1',
  'version 2',
  'version 3',
  'version 4',
  'version 5',
  'version 6',
  'version 7',
  'version 8',
] as const;
type OldVersion = (typeof OLD_VERSIONS)[number];
export type IndexState = 'empty' | OldVersion | 'current';

/**
 * Changes nothing.
 * @throws OperationalError SPOOL_NEWER, SPOOL_FOREIGN
 */
export function indexState(database: Database.Database): IndexState {
  const number = (sql: string) => Number(database.prepare(sql).pluck().get());
  const version = number('PRAGMA user_version');
  const application = number('PRAGMA application_id');
  const isEmpty = number('SELECT count(*) FROM sqlite_master') === 0;
  if (isEmpty && version === 0 && application === 0) return 'empty';
  if (application !== APPLICATION_ID || isEmpty || version < 1) {
    throw new OperationalError('SPOOL_FOREIGN', 'the index of the spool is another program’s', {
      retryable: false,
    });
  }
  if (version === SCHEMA_VERSION) return 'current';
  const older = OLD_VERSIONS[version - 1];
  if (older !== undefined) return older;
  throw new OperationalError(
    'SPOOL_NEWER',
    `the spool was written by a newer agent (schema ${version}, this one knows ${SCHEMA_VERSION})`,
    { retryable: false },
  );
}

/** Tables and version in one transaction: a kill leaves an empty database. */
export function createSchema(database: Database.Database): void {
  database.transaction(() => {
    database.exec(SCHEMA);
    database.exec(PROMISES_SCHEMA);
    database.exec(ASIDE_SCHEMA);
    database.exec(KEYS_SCHEMA);
    database.exec(CUSTODY_SCHEMA);
    database.exec(ERASED_SCHEMA);
    database.exec(CUSTODY_LEAVES_SCHEMA);
    database.pragma(`application_id = ${APPLICATION_ID}`);
    database.pragma(`user_version = ${SCHEMA_VERSION}`);
  })();
}

/**
 * Everything in one transaction, the version with it: a kill at any line, a full disk and a row that makes no
 * sense leave the old version as it was, and the next start begins again.
 * @throws OperationalError SPOOL_DAMAGED
 */
export function migrateSchema(database: Database.Database, from: OldVersion): void {
  // Tables are replaced under their own names, which enforced references would follow. Not to be switched
  // inside a transaction.
  database.pragma('foreign_keys = OFF');
  database.transaction(() => {
    if (from === 'version 1') migrateFrom1(database, SCHEMA);
    else if (from === 'version 2') migrateFrom2(database, LINK_TABLES + STAMP_TABLES);
    else if (from === 'version 3') migrateFrom3(database, LINK_TABLES);
    if (from === 'version 1' || from === 'version 2') database.exec(PROMISES_SCHEMA);
    if (isBefore(from, 'version 5')) database.exec(ASIDE_SCHEMA);
    // Rows of roots are rows of keys of which nothing was forgotten.
    if (isBefore(from, 'version 6')) database.exec(KEYS_SCHEMA);
    if (isBefore(from, 'version 7')) database.exec(CUSTODY_SCHEMA);
    if (isBefore(from, 'version 8')) database.exec(ERASED_SCHEMA);
    database.exec(CUSTODY_LEAVES_SCHEMA);
    database.pragma(`user_version = ${SCHEMA_VERSION}`);
  })();
}

function isBefore(version: OldVersion, other: OldVersion): boolean {
  return OLD_VERSIONS.indexOf(version) < OLD_VERSIONS.indexOf(other);
}
