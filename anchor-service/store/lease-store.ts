/** The row that says which process may write. Implements spec/lease.md. */
import type Database from 'better-sqlite3';
import { OperationalError } from '../../core/errors.ts';
import type { Lease, LeaseStore } from '../ports.ts';

/** Outside of the numbered versions: a standby reads it before it may touch anything else. */
const LEASE_TABLE = `
CREATE TABLE IF NOT EXISTS lease (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  -- Grows by one with each holder, and never shrinks.
  term INTEGER NOT NULL,
  -- NULL: given back, anybody may take it at once.
  holder TEXT,
  -- Grows while the holder lives.
  beat INTEGER NOT NULL
) STRICT;
INSERT OR IGNORE INTO lease (one, term, holder, beat) VALUES (1, 0, NULL, 0);
`;

type LeaseRow = {
  readonly term: number;
  readonly holder: string | null;
  readonly beat: number;
};

export function leaseStore(db: Database.Database): LeaseStore {
  const isThere = db.prepare<[], unknown>("SELECT 1 FROM sqlite_schema WHERE name = 'lease'");
  if (isThere.get() === undefined) db.transaction(() => db.exec(LEASE_TABLE)).immediate();
  const select = db.prepare<[], LeaseRow>('SELECT term, holder, beat FROM lease');
  // One statement, so nobody comes in between: it takes what was seen, or nothing.
  const take = db.prepare(
    'UPDATE lease SET term = term + 1, holder = ?, beat = 0 WHERE term = ? AND beat = ? AND holder IS ?',
  );
  const beat = db.prepare('UPDATE lease SET beat = beat + 1 WHERE term = ?');
  const release = db.prepare('UPDATE lease SET holder = NULL WHERE term = ?');
  return {
    look: () =>
      writing((): Lease => {
        const row = select.get();
        if (row === undefined) throw new Error('the lease has no row');
        return { term: row.term, holder: row.holder ?? undefined, beat: row.beat };
      }),
    take: (seen, holder) =>
      writing(() => {
        const { changes } = take.run(holder, seen.term, seen.beat, seen.holder ?? null);
        return changes === 1 ? seen.term + 1 : undefined;
      }),
    beat: (term) => writing(() => beat.run(term).changes === 1),
    release: (term) => {
      writing(() => release.run(term));
    },
  };
}

/**
 * A beat as part of a transaction that grows with a window: while it runs nobody else can write, so nobody takes the lease,
 * and whoever waited for its end finds that it has beaten. Only behind a write that the fence let through.
 */
export function beatWithin(db: Database.Database): () => void {
  const beat = db.prepare('UPDATE lease SET beat = beat + 1');
  return () => {
    beat.run();
  };
}

/** A disk that is full or a lock that somebody holds passes; the lease is then neither kept nor lost. */
function writing<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new OperationalError('LEASE_UNREACHABLE', 'the row of the lease cannot be used now', {
      retryable: true,
      cause,
    });
  }
}
