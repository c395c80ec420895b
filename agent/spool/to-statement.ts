/** A row of the table of statements. */
import type { StoredStatement } from '../ports.ts';
import { logOf, numberOf } from './place.ts';
import { blob, blobOrNone, integer, type Row } from './rows.ts';

export function toStatement(row: Row): StoredStatement {
  const place = integer(row, 'place');
  return {
    log: logOf(place),
    seq: numberOf(place),
    id: blob(row, 'id'),
    session: numberOf(integer(row, 'session')),
    bytes: blob(row, 'bytes'),
    acceptance: blobOrNone(row, 'acceptance'),
    inclusion: blobOrNone(row, 'inclusion'),
    windowHash: blobOrNone(row, 'window_hash'),
  };
}
