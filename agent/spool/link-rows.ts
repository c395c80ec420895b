/** Rows that lead from the newest anchor to older blocks. Implements spec/spool.md, "Index". */
import { decodeChunkHeader } from '../../core/chunk-header.ts';
import { decodeBlockHeader } from '../../core/evm/block-header.ts';
import { decodeHeaderLink } from '../../core/evm/header-link-record.ts';
import type { LinkShelf, NamedBlock } from '../ports.ts';
import type { PreparedStatements } from './prepared-statements.ts';
import { blob, integer, integerOrNone, type Row } from './rows.ts';

/** Then nothing will ever lead to the block: it is none of the chain any more, or the service has lost it. */
const MAX_ASKED = 256;

const linkOf = (row: Row): Uint8Array => blob(row, 'link');

export function newestAnchor(sql: PreparedStatements): NamedBlock | undefined {
  const [row] = sql.all(
    'SELECT link FROM anchored_window WHERE block IS NOT NULL ORDER BY block DESC LIMIT 1',
    [],
  );
  const [hop] = row === undefined ? [] : decodeHeaderLink(linkOf(row)).hops;
  return hop && decodeBlockHeader(hop.header);
}

export function windowLinks(
  sql: PreparedStatements,
  fromBlock: bigint,
  limit: number,
): readonly Uint8Array[] {
  const text = 'SELECT link FROM anchored_window WHERE block >= ? ORDER BY block LIMIT ?';
  return sql.all(text, [Number(fromBlock), limit]).map(linkOf);
}

export function linksBetween(
  sql: PreparedStatements,
  fromBlock: bigint,
  toBlock: bigint,
  limit: number,
): readonly Uint8Array[] {
  const [from, to] = [Number(fromBlock), Number(toBlock)];
  return sql
    .all(
      `SELECT number, link FROM (
         SELECT block AS number, link FROM anchored_window WHERE block BETWEEN ? AND ?
         UNION ALL SELECT number, link FROM header_hop WHERE number BETWEEN ? AND ?)
       ORDER BY number LIMIT ?`,
      [from, to, from, to, limit],
    )
    .map(linkOf);
}

export function lastBeacon(sql: PreparedStatements): NamedBlock | undefined {
  const [row] = sql.all('SELECT header FROM chunk ORDER BY place DESC LIMIT 1', []);
  return row && decodeChunkHeader(blob(row, 'header')).beacon;
}

export function beaconsOf(sql: PreparedStatements, statement: number): readonly NamedBlock[] {
  return sql
    .all(
      `SELECT header FROM span JOIN chunk
         ON chunk.place IN (first_chunk, first_chunk + count - 1) WHERE statement = ?`,
      [statement],
    )
    .flatMap((row) => decodeChunkHeader(blob(row, 'header')).beacon ?? []);
}

export function unlinkedBlocks(sql: PreparedStatements, limit: number): readonly NamedBlock[] {
  return sql
    .all('SELECT * FROM unlinked_block ORDER BY asked, number DESC LIMIT ?', [limit])
    .map((row) => ({ number: BigInt(integer(row, 'number')), hash: blob(row, 'hash') }));
}

export function countHops(sql: PreparedStatements): number {
  const [row] = sql.all('SELECT count(*) AS count FROM header_hop', []);
  return row === undefined ? 0 : integer(row, 'count');
}

export function insertUnlinked(sql: PreparedStatements, blocks: readonly NamedBlock[]): void {
  for (const { number, hash } of blocks) {
    sql.run('INSERT OR IGNORE INTO unlinked_block VALUES (?, ?, 0)', Number(number), hash);
  }
}

export function countAsked(sql: PreparedStatements, blocks: readonly NamedBlock[]): void {
  for (const { number, hash } of blocks) {
    const text = 'UPDATE unlinked_block SET asked = asked + 1 WHERE number = ? AND hash = ?';
    sql.run(text, Number(number), hash);
  }
  sql.run('DELETE FROM unlinked_block WHERE asked > ?', MAX_ASKED);
}

export function dropLinked(sql: PreparedStatements, blocks: readonly NamedBlock[]): void {
  for (const { number, hash } of blocks) {
    sql.run('DELETE FROM unlinked_block WHERE number = ? AND hash = ?', Number(number), hash);
  }
}

export function insertHops(
  sql: PreparedStatements,
  hops: Parameters<LinkShelf['storeHops']>[0],
): void {
  for (const { id, number, link } of hops) {
    sql.run('INSERT OR IGNORE INTO header_hop VALUES (?, ?, ?)', id, Number(number), link);
  }
}

/** Hops below everything that is still named: below the oldest anchor and the oldest chunk's beacon. */
export function dropUnusedHops(sql: PreparedStatements): void {
  const [anchor] = sql.all('SELECT min(block) AS block FROM anchored_window', []);
  const oldest = anchor && integerOrNone(anchor, 'block');
  if (oldest === undefined) return;
  const beacons = sql
    .all('SELECT header FROM chunk ORDER BY place LIMIT 1', [])
    .flatMap((row) => decodeChunkHeader(blob(row, 'header')).beacon ?? []);
  const lowest = Math.min(oldest, ...beacons.map(({ number }) => Number(number)));
  sql.run('DELETE FROM header_hop WHERE number < ?', lowest);
  sql.run('DELETE FROM unlinked_block WHERE number < ?', lowest);
}
