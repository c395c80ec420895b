/** A spool as the agent of schema version 1 left it: its own schema, with the rows of a spool of today's. */
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';

/** As it stood in agent/spool/schema.ts. */
const SCHEMA_1 = `
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

/** In log 0 a place is a number. */
const ROWS = `
  INSERT INTO log SELECT 1, tag, epoch, number, device_key_id FROM today.log;
  INSERT INTO session SELECT place, id, record FROM today.session;
  INSERT INTO stream_roots SELECT place, salt, sealed FROM today.stream_roots;
  INSERT INTO anchored_window SELECT hash, bytes, link FROM today.anchored_window;
  INSERT INTO statement
    SELECT place, id, session, bytes, acceptance, inclusion, window_hash FROM today.statement;
  INSERT INTO chunk SELECT place, session, header, signature, segment, offset, length, frames, cursor,
    (SELECT statement FROM today.span WHERE place BETWEEN first_chunk AND first_chunk + count - 1)
    FROM today.chunk;
`;

/** @param unit with a closed spool of one log */
export function asVersion1(unit: string, copy: string): void {
  mkdirSync(join(copy, 'spool'), { recursive: true });
  cpSync(join(unit, 'spool/segments'), join(copy, 'spool/segments'), { recursive: true });
  const database = new Database(join(copy, 'spool/index.db'));
  database.pragma('page_size = 1024');
  database.pragma('journal_mode = WAL');
  database.exec(SCHEMA_1);
  database.pragma(`application_id = ${0x776d6b49}`);
  database.pragma('user_version = 1');
  database.prepare('ATTACH ? AS today').run(join(unit, 'spool/index.db'));
  database.exec(ROWS);
  database.close();
}
