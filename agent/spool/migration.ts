/** From version 1 of the index, which held one log, to that of today. Implements spec/spool.md, "Version 1". */
import type Database from 'better-sqlite3';
import { decodeChunkHeader } from '../../core/chunk-header.ts';
import { FormatError, OperationalError } from '../../core/errors.ts';
import { placeOf } from './place.ts';

const OLD_TABLES = ['log', 'session', 'stream_roots', 'statement', 'anchored_window', 'chunk'];
const OLD_INDEXES = ['statement_unaccepted', 'statement_waiting', 'chunk_unbatched'];

/**
 * Only inside a transaction and with foreign keys off.
 * @param schema of today
 * @throws OperationalError SPOOL_DAMAGED when a header does not say how many streams it has
 */
export function migrateFrom1(database: Database.Database, schema: string): void {
  const log: unknown = database.prepare('SELECT number FROM log').pluck().get();
  const first = placeOf(typeof log === 'number' ? log : 0, 0);
  // In version 1 a chunk had a leaf of every stream that its log had named.
  database.function('entry_count', { deterministic: true }, (header: unknown) =>
    entryCount(header),
  );
  for (const name of OLD_INDEXES) database.exec(`DROP INDEX ${name}`);
  for (const name of OLD_TABLES) database.exec(`ALTER TABLE ${name} RENAME TO old_${name}`);
  database.exec(schema);
  database.exec(`
    INSERT INTO log (number, tag, epoch, device_key_id)
      SELECT number, tag, epoch, device_key_id FROM old_log;
    INSERT INTO session SELECT ${first} + number, id, record FROM old_session;
    INSERT INTO stream_roots SELECT ${first} + first_ordinal, salt, sealed FROM old_stream_roots;
    INSERT INTO anchored_window SELECT hash, bytes, link FROM old_anchored_window;
    INSERT INTO statement
      SELECT ${first} + seq, id, ${first} + session, bytes, acceptance, inclusion, window_hash
      FROM old_statement;
    INSERT INTO chunk
      SELECT ${first} + seq, ${first} + session, header, signature, segment, offset, length, frames,
        cursor, entry_count(header)
      FROM old_chunk;
    INSERT INTO span
      SELECT ${first} + min(seq), count(*), ${first} + statement
      FROM old_chunk WHERE statement IS NOT NULL GROUP BY statement;
    INSERT INTO segment SELECT segment, ${first} + min(seq), 0 FROM old_chunk GROUP BY segment;
  `);
  // Those that refer to others first.
  for (const name of OLD_TABLES.toReversed()) database.exec(`DROP TABLE old_${name}`);
}

function entryCount(header: unknown): number {
  try {
    if (header instanceof Uint8Array) return decodeChunkHeader(header).entryCount;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
  }
  throw new OperationalError('SPOOL_DAMAGED', 'the index of the spool has no valid header', {
    retryable: false,
  });
}
