/** Beacons that were or may have been published. */
import { setImmediate as nextTurn } from 'node:timers/promises';
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
/** Beacons of those that a window's statements name, newest first. */
const MAX_NAMED = 64;
/** Statements that are looked at in one go. */
const PART = 2048;

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
  const treeSize = db.prepare<[number], { readonly tree_size: number }>(
    'SELECT tree_size FROM window WHERE seq = ?',
  );
  const named = db.prepare<[number, number, number, number], { readonly number: number }>(
    `SELECT DISTINCT beacon_number AS number FROM statement
     WHERE window_seq = ? AND window_index >= ? AND window_index < ? AND beacon_number >= ?`,
  );
  const at = db.prepare<[number], BeaconRow>('SELECT * FROM beacon WHERE number = ?');
  /** A look at every statement of the window: in parts, with a turn of the event loop behind each. */
  const namedNumbers = async (windowSeq: number, oldest: number): Promise<readonly number[]> => {
    const numbers = new Set<number>();
    const end = treeSize.get(windowSeq)?.tree_size ?? 0;
    for (let from = 0; from < end; from += PART) {
      for (const { number } of named.all(windowSeq, from, from + PART, oldest)) numbers.add(number);
      await nextTurn();
    }
    return [...numbers].sort((a, b) => b - a);
  };
  return {
    lastBeacon: () => stored(last.get()),
    insertBeacon: ({ number, hash, signed, publishedAtMs, header }) => {
      insert.run(number, hash, signed, publishedAtMs, header ?? null);
    },
    beaconsToLink: async (windowSeq, oldest) => {
      const numbers = await namedNumbers(windowSeq, oldest);
      const from = Math.max(previousBlock.get(windowSeq)?.block ?? 0, oldest);
      const rows = [...since.all(from, MAX_LINKED - OVERLAP), ...before.all(from, oldest, OVERLAP)];
      return {
        recent: rows.flatMap((row) => stored(row) ?? []),
        named: numbers
          .flatMap((number) => at.all(number))
          .slice(0, MAX_NAMED)
          .flatMap((row) => stored(row) ?? []),
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
