/** The chain of hops: what is to be linked, what is, and where each block is shown. */
import type Database from 'better-sqlite3';
import type { ChainBlock, HopStore, LinkStore, ServeStore } from '../ports.ts';

type LinkRow = { readonly link: Uint8Array };
type NumberRow = { readonly number: number | null };
type BlockRow = {
  readonly number: number;
  readonly hash: Uint8Array;
  readonly page: Uint8Array | null;
  readonly header: Uint8Array | null;
};

/** What `link_page` holds for a block that no hop will ever show. */
const NEVER = 0;

export function hopStore(
  db: Database.Database,
): HopStore & LinkStore & Pick<ServeStore, 'hop' | 'listHops'> {
  const newest = db.prepare<[number], ChainBlock>(
    'SELECT number, hash FROM hop ORDER BY number DESC LIMIT ?',
  );
  const anchors = db.prepare<[number], ChainBlock>(
    `SELECT DISTINCT block_number AS number, block_hash AS hash FROM window
     WHERE link_page IS NULL AND block_number IS NOT NULL AND block_number < ? ORDER BY block_number DESC`,
  );
  const beacons = db.prepare<[number], ChainBlock>(
    'SELECT number, hash FROM beacon WHERE link_page IS NULL AND number < ? ORDER BY number DESC',
  );
  const oldest = db.prepare<[], NumberRow>(
    `SELECT min(number) AS number FROM (
       SELECT min(block_number) AS number FROM window WHERE link_page IS NULL AND block_number IS NOT NULL
       UNION ALL SELECT min(number) FROM beacon WHERE link_page IS NULL)`,
  );
  const insertHop = db.prepare('INSERT INTO hop (number, hash, link) VALUES (?, ?, ?)');
  const insertPage = db.prepare('INSERT INTO link_page (hop, link) VALUES (?, ?)');
  const placeWindow = db.prepare(
    'UPDATE window SET link_page = ? WHERE block_number = ? AND block_hash = ? AND link_page IS NULL',
  );
  const placeBeacon = db.prepare(
    'UPDATE beacon SET link_page = ? WHERE number = ? AND hash = ? AND link_page IS NULL',
  );
  const windowLinks = db.prepare<[number, number], LinkRow>(
    'SELECT link FROM window WHERE block_number >= ? ORDER BY block_number, seq LIMIT ?',
  );
  const hopLinks = db.prepare<[number, number, number], LinkRow>(
    'SELECT link FROM hop WHERE number BETWEEN ? AND ? ORDER BY number DESC LIMIT ?',
  );
  const hopFrom = db.prepare<[number], ChainBlock>(
    'SELECT number, hash FROM hop WHERE number >= ? ORDER BY number LIMIT 1',
  );
  const blocksAt = db.prepare<[number, number, number], BlockRow>(
    `SELECT block_number AS number, block_hash AS hash, page.link AS page, NULL AS header
       FROM window LEFT JOIN link_page AS page ON page.n = window.link_page WHERE block_number = ?
     UNION ALL
     SELECT number, hash, page.link, header
       FROM beacon LEFT JOIN link_page AS page ON page.n = beacon.link_page WHERE number = ?
     UNION ALL SELECT number, hash, NULL, NULL FROM hop WHERE number = ?`,
  );
  const list = db.prepare<[number, number], ChainBlock>(
    'SELECT number, hash FROM hop WHERE number >= ? ORDER BY number LIMIT ?',
  );
  const one = db.prepare<[number], ChainBlock & LinkRow>('SELECT * FROM hop WHERE number = ?');
  const pages = db.prepare<[number], LinkRow>(
    'SELECT link FROM link_page WHERE hop = ? ORDER BY n',
  );
  const linkOf = ({ link }: LinkRow): Uint8Array => link;

  const place = (page: number, { number, hash }: ChainBlock): void => {
    placeWindow.run(page, number, hash);
    placeBeacon.run(page, number, hash);
  };
  return {
    newestHops: (limit) => newest.all(limit),
    unlinkedBlocks: (below) => ({ anchors: anchors.all(below), beacons: beacons.all(below) }),
    oldestUnlinked: () => oldest.get()?.number ?? undefined,
    commitHop: (hop) => {
      db.transaction(() => {
        insertHop.run(hop.number, hop.hash, hop.link);
        for (const { link, shows } of hop.pages) {
          const page = Number(insertPage.run(hop.number, link).lastInsertRowid);
          for (const block of shows) place(page, block);
        }
        for (const block of hop.givenUp) place(NEVER, block);
      }).immediate();
    },
    windowLinks: (fromBlock, limit) => windowLinks.all(fromBlock, limit).map(linkOf),
    hopLinks: (from, to, limit) => hopLinks.all(from, to, limit).map(linkOf),
    hopFrom: (number) => hopFrom.get(number),
    blocksAt: (number) =>
      blocksAt.all(number, number, number).map((row) => ({
        number: row.number,
        hash: row.hash,
        page: row.page ?? undefined,
        header: row.header ?? undefined,
      })),
    listHops: (from, limit) => list.all(from, limit),
    hop: (number) => {
      const row = one.get(number);
      return row && { ...row, pages: pages.all(number).map(linkOf) };
    },
  };
}
