/** Rows that lead from the newest anchor to older blocks. Implements spec/spool.md, "Index". */
import { decodeChunkHeader } from '../../core/chunk-header.ts';
import { decodeBlockHeader } from '../../core/evm/block-header.ts';
import { decodeHeaderLink } from '../../core/evm/header-link-record.ts';
import type { LinkShelf, NamedBlock } from '../ports.ts';
import type { PreparedStatements } from './prepared-statements.ts';
import { blob, integer, type Row } from './rows.ts';

/** Then nothing will ever lead to the block: it is none of the chain any more, or the service has lost it. */
const MAX_ASKED = 256;

/**
 * Four times the default age of a beacon, with the default chunks: one from before is too old to be used. With chunks below
 * 250 ms, or a longer `service.beacon_max_age_ms`, a broker could repeat one from behind so many headers without any.
 */
const HEADERS_BACK = 4096;
const HEADERS_AT_ONCE = 64;

const linkOf = (row: Row): Uint8Array => blob(row, 'link');

export function newestAnchor(sql: PreparedStatements, chainId: bigint): NamedBlock | undefined {
  const [row] = sql.all(
    `SELECT link FROM anchored_window WHERE chain_id = ? AND block IS NOT NULL
     ORDER BY block DESC LIMIT 1`,
    [Number(chainId)],
  );
  const [hop] = row === undefined ? [] : decodeHeaderLink(linkOf(row)).hops;
  if (hop === undefined) return undefined;
  const { number, hash } = decodeBlockHeader(hop.header);
  return { chainId, number, hash };
}

export function windowLinks(
  sql: PreparedStatements,
  chainId: bigint,
  fromBlock: bigint,
  limit: number,
): readonly Uint8Array[] {
  const text = `SELECT link FROM anchored_window WHERE chain_id = ? AND block >= ?
     ORDER BY block LIMIT ?`;
  return sql.all(text, [Number(chainId), Number(fromBlock), limit]).map(linkOf);
}

/** Of windows and hops. */
export function linksBetween(
  sql: PreparedStatements,
  chainId: bigint,
  range: { readonly from: bigint; readonly to: bigint },
  order: { readonly newestFirst: boolean; readonly limit: number },
): readonly Uint8Array[] {
  const ends = [Number(chainId), Number(range.from), Number(range.to)];
  return sql
    .all(
      `SELECT number, link FROM (
         SELECT block AS number, link FROM anchored_window WHERE chain_id = ? AND block BETWEEN ? AND ?
         UNION ALL SELECT number, link FROM header_hop WHERE chain_id = ? AND number BETWEEN ? AND ?)
       ORDER BY number ${order.newestFirst ? 'DESC' : ''} LIMIT ?`,
      [...ends, ...ends, order.limit],
    )
    .map(linkOf);
}

/**
 * A recovered chunk has no beacon, nor has one of a time without any, and another service's is of another chain: the
 * newest header that names one counts.
 */
export function lastBeacon(sql: PreparedStatements, chainId: bigint): NamedBlock | undefined {
  const newest = 'SELECT header FROM chunk ORDER BY place DESC LIMIT ? OFFSET ?';
  for (let from = 0; from < HEADERS_BACK; from += HEADERS_AT_ONCE) {
    const rows = sql.all(newest, [HEADERS_AT_ONCE, from]);
    for (const row of rows) {
      const { beacon } = decodeChunkHeader(blob(row, 'header'));
      if (beacon?.chainId === chainId) return beacon;
    }
    if (rows.length < HEADERS_AT_ONCE) break;
  }
  return undefined;
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

export function unlinkedBlocks(
  sql: PreparedStatements,
  chainId: bigint,
  limit: number,
): readonly NamedBlock[] {
  return sql
    .all('SELECT * FROM unlinked_block WHERE chain_id = ? ORDER BY asked, number DESC LIMIT ?', [
      Number(chainId),
      limit,
    ])
    .map((row) => ({ chainId, number: BigInt(integer(row, 'number')), hash: blob(row, 'hash') }));
}

export function countHops(sql: PreparedStatements): number {
  const [row] = sql.all('SELECT count(*) AS count FROM header_hop', []);
  return row === undefined ? 0 : integer(row, 'count');
}

export function insertUnlinked(sql: PreparedStatements, blocks: readonly NamedBlock[]): void {
  for (const { chainId, number, hash } of blocks) {
    const text = 'INSERT OR IGNORE INTO unlinked_block VALUES (?, ?, ?, 0)';
    sql.run(text, Number(chainId), Number(number), hash);
  }
}

const IS_BLOCK = 'chain_id = ? AND number = ? AND hash = ?';

export function countAsked(sql: PreparedStatements, blocks: readonly NamedBlock[]): void {
  for (const { chainId, number, hash } of blocks) {
    const text = `UPDATE unlinked_block SET asked = asked + 1 WHERE ${IS_BLOCK}`;
    sql.run(text, Number(chainId), Number(number), hash);
  }
  sql.run('DELETE FROM unlinked_block WHERE asked > ?', MAX_ASKED);
}

export function dropLinked(sql: PreparedStatements, blocks: readonly NamedBlock[]): void {
  for (const { chainId, number, hash } of blocks) {
    const text = `DELETE FROM unlinked_block WHERE ${IS_BLOCK}`;
    sql.run(text, Number(chainId), Number(number), hash);
  }
}

export function insertHops(
  sql: PreparedStatements,
  hops: Parameters<LinkShelf['storeHops']>[0],
): void {
  for (const { id, chainId, number, link } of hops) {
    const text = 'INSERT OR IGNORE INTO header_hop VALUES (?, ?, ?, ?)';
    sql.run(text, id, Number(chainId), Number(number), link);
  }
}

/**
 * Hops below everything that is still named on their chain: below its oldest anchor and the oldest chunk's beacon. Where
 * that chunk names another chain, how far back later ones go is not known, and the hops stay.
 */
export function dropUnusedHops(sql: PreparedStatements): void {
  const [row] = sql.all('SELECT header FROM chunk ORDER BY place LIMIT 1', []);
  const beacon = row && decodeChunkHeader(blob(row, 'header')).beacon;
  const chains = sql.all(
    `SELECT chain_id, min(block) AS block FROM anchored_window
     WHERE block IS NOT NULL AND chain_id IS NOT NULL GROUP BY chain_id`,
    [],
  );
  for (const each of chains) {
    const [chainId, oldest] = [integer(each, 'chain_id'), integer(each, 'block')];
    if (beacon !== undefined && Number(beacon.chainId) !== chainId) continue;
    const lowest = Math.min(oldest, Number(beacon?.number ?? oldest));
    sql.run('DELETE FROM header_hop WHERE chain_id = ? AND number < ?', chainId, lowest);
    sql.run('DELETE FROM unlinked_block WHERE chain_id = ? AND number < ?', chainId, lowest);
  }
}
