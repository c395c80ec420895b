/**
 * How far the chains of custody records are, and which records stand in them.
 * Implements spec/spool.md, "Custody". Written in the transaction of the chunk that holds the records, so that a kill
 * leaves both or neither.
 */
import type { CustodyEnd, CustodyToCommit } from '../ports.ts';
import { numberOf, placeOf } from './place.ts';
import type { PreparedStatements } from './prepared-statements.ts';
import { blob, integer, type Row, text } from './rows.ts';

/** Added to the index of version 7. */
export const CUSTODY_SCHEMA = `
  -- The newest record of each custody stream. place: log and ordinal of the stream. hash: of the encoded record.
  CREATE TABLE custody_end (
    place INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL
  );
  -- Records that a chunk holds, by what they say. file: the name under which the record lay in the inbox.
  CREATE TABLE custody_sealed (
    identity BLOB PRIMARY KEY,
    file TEXT NOT NULL,
    chunk INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX custody_sealed_chunk ON custody_sealed (chunk);
`;

/** In the transaction of the chunk. */
export function insertCustody(
  sql: PreparedStatements,
  log: number,
  chunkSeq: number,
  { ends, files }: CustodyToCommit,
): void {
  for (const { ordinal, seq, hash } of ends) {
    sql.run(
      `INSERT INTO custody_end VALUES (?, ?, ?)
       ON CONFLICT (place) DO UPDATE SET seq = excluded.seq, hash = excluded.hash`,
      placeOf(log, ordinal),
      seq,
      hash,
    );
  }
  for (const { identity, name } of files) {
    const chunk = placeOf(log, chunkSeq);
    sql.run('INSERT INTO custody_sealed VALUES (?, ?, ?)', identity, name, chunk);
  }
}

/** By ordinal of the stream. @param rows of one log */
export function toCustodyEnd(row: Row): CustodyEnd & { readonly ordinal: number } {
  return {
    ordinal: numberOf(integer(row, 'place')),
    seq: integer(row, 'seq'),
    hash: blob(row, 'hash'),
  };
}

export function toCustodyFile(row: Row): string {
  return text(row, 'file');
}
