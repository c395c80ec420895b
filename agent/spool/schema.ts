/**
 * Tables of the spool's index and the invariants that they carry.
 * Implements spec/spool.md, "Index".
 */
import type Database from 'better-sqlite3';
import { OperationalError } from '../../core/errors.ts';

/** `user_version` of the index. A newer one is refused: an older agent must not write what it does not know. */
const SCHEMA_VERSION = 1;
/** `application_id` of the index, "wmkI": what tells it from another program's database. */
const APPLICATION_ID = 0x776d6b49;

/** Comments stand between the statements: inside one, SQLite would store them in every spool. */
const SCHEMA = `
  -- One row: which log this is. Written once.
  CREATE TABLE log (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    tag BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    number INTEGER NOT NULL,
    device_key_id BLOB NOT NULL
  );
  CREATE TABLE session (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    record BLOB NOT NULL
  );
  -- Names and roots of the streams from this ordinal on, sealed under the storage key. A row is durable
  -- with the chunk that has their first leaves.
  CREATE TABLE stream_roots (
    first_ordinal INTEGER PRIMARY KEY,
    salt BLOB NOT NULL,
    sealed BLOB NOT NULL
  );
  -- bytes: the complete COSE_Sign1, sent again byte for byte and never signed again. acceptance: the
  -- service's signed word, as it came.
  CREATE TABLE statement (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    session INTEGER NOT NULL REFERENCES session (number),
    bytes BLOB NOT NULL,
    acceptance BLOB,
    inclusion BLOB,
    window_hash BLOB REFERENCES anchored_window (hash)
  );
  CREATE INDEX statement_unaccepted ON statement (seq) WHERE acceptance IS NULL AND inclusion IS NULL;
  CREATE INDEX statement_waiting ON statement (seq) WHERE inclusion IS NULL;
  CREATE TABLE anchored_window (
    hash BLOB PRIMARY KEY,
    bytes BLOB NOT NULL,
    link BLOB NOT NULL
  ) WITHOUT ROWID;
  -- A row exists exactly when its body is synced in a segment file. cursor: in a replay the line of the last
  -- frame; a restart reads on after it.
  CREATE TABLE chunk (
    seq INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES session (number),
    header BLOB NOT NULL,
    signature BLOB NOT NULL,
    segment INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL,
    frames INTEGER NOT NULL,
    cursor INTEGER NOT NULL,
    statement INTEGER REFERENCES statement (seq)
  );
  CREATE INDEX chunk_unbatched ON chunk (seq) WHERE statement IS NULL;
`;

/**
 * Changes nothing.
 * @returns false when the database is empty
 * @throws OperationalError SPOOL_NEWER, SPOOL_FOREIGN
 */
export function hasSchema(database: Database.Database): boolean {
  const number = (sql: string) => Number(database.prepare(sql).pluck().get());
  const version = number('PRAGMA user_version');
  const application = number('PRAGMA application_id');
  const isEmpty = number('SELECT count(*) FROM sqlite_master') === 0;
  if (isEmpty && version === 0 && application === 0) return false;
  if (application !== APPLICATION_ID || isEmpty) {
    throw new OperationalError('SPOOL_FOREIGN', 'the index of the spool is another program’s', {
      retryable: false,
    });
  }
  if (version === SCHEMA_VERSION) return true;
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
    database.pragma(`application_id = ${APPLICATION_ID}`);
    database.pragma(`user_version = ${SCHEMA_VERSION}`);
  })();
}
