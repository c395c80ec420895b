/** Beacons that were or may have been published. */
import type Database from 'better-sqlite3';
import type { BeaconStore, StoredBeacon } from '../ports.ts';

type BeaconRow = {
  readonly number: number;
  readonly hash: Uint8Array;
  readonly signed: Uint8Array;
  readonly published_at_ms: number;
  readonly header: Uint8Array | null;
};

/** How many beacons before the ones since the last FINAL window a link shows again. */
const OVERLAP = 64;
/** A link of this many blocks stays below the bound of a receipt message. */
const MAX_LINKED = 192;

export function beaconStore(db: Database.Database): BeaconStore {
  const last = db.prepare<[], BeaconRow>(
    'SELECT * FROM beacon ORDER BY number DESC, published_at_ms DESC LIMIT 1',
  );
  const insert = db.prepare(
    `INSERT INTO beacon (number, hash, signed, published_at_ms, header) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (number, hash) DO NOTHING`,
  );
  // The block that the window before was proven under tells which beacons it could already show.
  const previousBlock = db.prepare<[number], { readonly block: number | null }>(
    'SELECT max(block_number) AS block FROM window WHERE seq < ?',
  );
  const since = db.prepare<[number, number], BeaconRow>(
    'SELECT * FROM beacon WHERE number >= ? ORDER BY number DESC LIMIT ?',
  );
  const before = db.prepare<[number, number, number], BeaconRow>(
    'SELECT * FROM beacon WHERE number < ? AND number >= ? ORDER BY number DESC LIMIT ?',
  );
  const named = db.prepare<[number, number], BeaconRow>(
    `SELECT DISTINCT beacon.* FROM statement
     JOIN beacon ON beacon.number = statement.beacon_number
     WHERE statement.window_seq = ? AND beacon.number >= ? ORDER BY beacon.number DESC LIMIT 64`,
  );
  return {
    lastBeacon: () => stored(last.get()),
    insertBeacon: ({ number, hash, signed, publishedAtMs, header }) => {
      insert.run(number, hash, signed, publishedAtMs, header ?? null);
    },
    beaconsToLink: (windowSeq, oldest) => {
      const from = Math.max(previousBlock.get(windowSeq)?.block ?? 0, oldest);
      const rows = [...since.all(from, MAX_LINKED - OVERLAP), ...before.all(from, oldest, OVERLAP)];
      return {
        recent: rows.flatMap((row) => stored(row) ?? []),
        named: named.all(windowSeq, oldest).flatMap((row) => stored(row) ?? []),
      };
    },
  };
}

function stored(row: BeaconRow | undefined): StoredBeacon | undefined {
  return row === undefined
    ? undefined
    : {
        number: row.number,
        hash: row.hash,
        signed: row.signed,
        publishedAtMs: row.published_at_ms,
        header: row.header ?? undefined,
      };
}
