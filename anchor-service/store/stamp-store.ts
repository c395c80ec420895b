/** Time stamps, and which windows they cover: each window under exactly one, without holes. */
import type Database from 'better-sqlite3';
import type { StampStore, StoredStamp, UnstampedWindow } from '../ports.ts';

type StampRow = { readonly last_seq: number; readonly bytes: Uint8Array };

export function stampStore(db: Database.Database): StampStore {
  const unstamped = db.prepare<[number], UnstampedWindow>(
    `SELECT seq, record, hash FROM window
     WHERE seq > (SELECT coalesce(max(last_seq), -1) FROM time_stamp) ORDER BY seq LIMIT ?`,
  );
  const lastSeq = db.prepare<[], { readonly seq: number | null }>(
    'SELECT max(seq) AS seq FROM window',
  );
  const open = db.prepare<[], object>('SELECT 1 FROM statement WHERE window_seq IS NULL LIMIT 1');
  const insert = db.prepare(
    `INSERT INTO time_stamp (last_seq, first_seq, bytes, gen_time_ms, stored_at_ms)
     VALUES (?, ?, ?, ?, ?)`,
  );
  const lastStored = db.prepare<[], { readonly at: number }>(
    'SELECT stored_at_ms AS at FROM time_stamp ORDER BY last_seq DESC LIMIT 1',
  );
  const unpublished = db.prepare<[], StampRow>(
    'SELECT last_seq, bytes FROM time_stamp WHERE published = 0 ORDER BY last_seq LIMIT 16',
  );
  const markPublished = db.prepare('UPDATE time_stamp SET published = 1 WHERE last_seq = ?');
  const markLast = db.prepare(
    'UPDATE time_stamp SET published = 0 WHERE last_seq = (SELECT max(last_seq) FROM time_stamp)',
  );
  const covering = db.prepare<[number], { readonly bytes: Uint8Array }>(
    'SELECT bytes FROM time_stamp WHERE last_seq >= ? ORDER BY last_seq LIMIT 1',
  );
  const coveringHash = db.prepare<[Uint8Array], StampRow>(
    `SELECT time_stamp.last_seq, bytes FROM window
     JOIN time_stamp ON window.seq BETWEEN first_seq AND last_seq WHERE window.hash = ?`,
  );
  return {
    unstampedWindows: (limit) => unstamped.all(limit),
    lastSealedSeq: () => lastSeq.get()?.seq ?? undefined,
    hasOpenStatements: () => open.get() !== undefined,
    insertStamp: (stamp: StoredStamp) => {
      const { lastSeq: last, firstSeq, bytes, genTimeMs, storedAtMs } = stamp;
      insert.run(last, firstSeq, bytes, genTimeMs, storedAtMs);
    },
    lastStampedAtMs: () => lastStored.get()?.at,
    unpublishedStamps: () => unpublished.all().map(toStamp),
    markStampPublished: (seq) => {
      markPublished.run(seq);
    },
    publishLastAgain: () => {
      markLast.run();
    },
    stampOfWindow: (seq) => covering.get(seq)?.bytes,
    stampOfRecord: (hash) => {
      const row = coveringHash.get(hash);
      return row && toStamp(row);
    },
  };
}

function toStamp({ last_seq, bytes }: StampRow): Pick<StoredStamp, 'lastSeq' | 'bytes'> {
  return { lastSeq: last_seq, bytes };
}
