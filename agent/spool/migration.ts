/** From older versions of the index to this one. Implements spec/spool.md, "Version 1" and "Promises". */
import type Database from 'better-sqlite3';
import { decodeChunkHeader } from '../../core/chunk-header.ts';
import { FormatError, OperationalError } from '../../core/errors.ts';
import { decodeBlockHeader } from '../../core/evm/block-header.ts';
import type { HeaderLink } from '../../core/evm/header-link.ts';
import { decodeHeaderLink } from '../../core/evm/header-link-record.ts';
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
  defineLinkBlock(database);
  for (const name of OLD_INDEXES) database.exec(`DROP INDEX ${name}`);
  for (const name of OLD_TABLES) database.exec(`ALTER TABLE ${name} RENAME TO old_${name}`);
  database.exec(schema);
  database.exec(`
    INSERT INTO log (number, tag, epoch, device_key_id)
      SELECT number, tag, epoch, device_key_id FROM old_log;
    INSERT INTO session SELECT ${first} + number, id, record FROM old_session;
    INSERT INTO stream_roots SELECT ${first} + first_ordinal, salt, sealed FROM old_stream_roots;
    INSERT INTO anchored_window 
      SELECT hash, bytes, link, link_block(link), link_chain(link) FROM old_anchored_window;
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

/** Version 2 had one link for each window and nothing that leads from one to another that is far away. */
export function migrateFrom2(database: Database.Database, linkTables: string): void {
  defineLinkBlock(database);
  database.exec(`
    ALTER TABLE anchored_window ADD COLUMN block INTEGER;
    ALTER TABLE anchored_window ADD COLUMN chain_id INTEGER;
    UPDATE anchored_window SET block = link_block(link), chain_id = link_chain(link);
  `);
  database.exec(linkTables);
}

/** Version 3 took all blocks for those of one chain: what was not linked yet is of the chain of the newest window. */
export function migrateFrom3(database: Database.Database, linkTables: string): void {
  defineLinkBlock(database);
  database.exec(`
    DROP INDEX anchored_window_block;
    DROP INDEX header_hop_number;
    ALTER TABLE header_hop RENAME TO old_header_hop;
    ALTER TABLE unlinked_block RENAME TO old_unlinked_block;
    ALTER TABLE anchored_window ADD COLUMN chain_id INTEGER;
    UPDATE anchored_window SET chain_id = link_chain(link);
  `);
  database.exec(linkTables);
  database.exec(`
    INSERT INTO header_hop SELECT id, link_chain(link), number, link FROM old_header_hop;
    INSERT INTO unlinked_block
      SELECT chain_id, old_unlinked_block.number, old_unlinked_block.hash, asked FROM old_unlinked_block,
        (SELECT chain_id FROM anchored_window WHERE chain_id IS NOT NULL ORDER BY block DESC LIMIT 1);
    DROP TABLE old_header_hop;
    DROP TABLE old_unlinked_block;
  `);
}

/** Chain and number of the block that a header link starts at; none where it is no link, which proves nothing anyway. */
function defineLinkBlock(database: Database.Database): void {
  const define = (name: string, read: (link: HeaderLink) => number | null): void => {
    database.function(name, { deterministic: true }, (link: unknown) => {
      try {
        return link instanceof Uint8Array ? read(decodeHeaderLink(link)) : null;
      } catch (error) {
        if (error instanceof FormatError) return null;
        throw error;
      }
    });
  };
  define('link_block', ({ hops: [hop] }) =>
    hop === undefined ? null : Number(decodeBlockHeader(hop.header).number),
  );
  define('link_chain', ({ chainId }) => Number(chainId));
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
