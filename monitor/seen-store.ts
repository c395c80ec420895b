/**
 * What the monitor has seen, so that it can be stopped and go on, and so that what is said later can be compared
 * with what was said before. The monitor's only file that imports SQLite. Implements spec/monitor.md, "State".
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { equalBytes, toHex } from '../core/bytes.ts';
import { OperationalError } from '../core/errors.ts';
import type { IndexedWindow } from '../core/published.ts';
import type { Finding } from './findings.ts';

const SCHEMA = `
CREATE TABLE watched (one INTEGER PRIMARY KEY CHECK (one = 1), log TEXT NOT NULL, next_block TEXT NOT NULL) STRICT;
CREATE TABLE window (
  seq INTEGER PRIMARY KEY,
  hash BLOB NOT NULL,
  block_number INTEGER NOT NULL,
  block_seconds INTEGER NOT NULL,
  checked INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX window_unchecked ON window (seq) WHERE checked = 0;
-- What each site said first of each window.
CREATE TABLE said (
  site TEXT NOT NULL,
  seq INTEGER NOT NULL,
  hash BLOB NOT NULL,
  PRIMARY KEY (site, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE entry (label BLOB PRIMARY KEY, hash BLOB NOT NULL, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE finding (
  n INTEGER PRIMARY KEY,
  code TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL,
  found_at_ms INTEGER NOT NULL,
  UNIQUE (code, subject)
) STRICT;
`;

/** What each site lists now, beside what it said first; and which of it the chain has. */
const LISTED = `
ALTER TABLE said ADD COLUMN listed_hash BLOB;
ALTER TABLE said ADD COLUMN tree_size INTEGER;
ALTER TABLE said ADD COLUMN anchored INTEGER NOT NULL DEFAULT 0;
CREATE INDEX said_unanchored ON said (site, seq) WHERE anchored = 0;
CREATE INDEX said_seq ON said (seq, site);
`;
const SCHEMA_STEPS = [SCHEMA, LISTED];

export type SeenWindow = {
  readonly seq: number;
  readonly hash: Uint8Array;
  readonly blockNumber: number;
  readonly blockSeconds: number;
};

type WindowRow = {
  readonly seq: number;
  readonly hash: Uint8Array;
  readonly block_number: number;
  readonly block_seconds: number;
};

/** One number, two records: a word of a site, from before or from another one, against what is listed now. */
export type Word = {
  readonly seq: number;
  readonly site: string;
  readonly hash: Uint8Array;
  readonly now: Uint8Array;
};

type SaidRow = {
  readonly site: string;
  readonly hash: Uint8Array;
  readonly listed_hash: Uint8Array | null;
  readonly tree_size: number | null;
};

const EMPTY = new Uint8Array(0);

export type SeenStore = ReturnType<typeof openSeenStore>;

/** @throws OperationalError MONITOR_STATE */
export function openSeenStore(folder: string, log: string, firstBlock: bigint) {
  const db = openDatabase(folder);
  const watched = db
    .prepare<[], { readonly log: string; readonly next_block: string }>('SELECT * FROM watched')
    .get();
  if (watched === undefined) {
    db.prepare('INSERT INTO watched VALUES (1, ?, ?)').run(log, firstBlock.toString());
  } else if (watched.log !== log) {
    db.close();
    throw stateError(`${folder} holds what was seen of another log: ${watched.log}`);
  }
  const next = db.prepare<[], { readonly next_block: string }>('SELECT next_block FROM watched');
  const setNext = db.prepare('UPDATE watched SET next_block = ?');
  const insertWindow = db.prepare(
    'INSERT INTO window (seq, hash, block_number, block_seconds) VALUES (?, ?, ?, ?) ON CONFLICT (seq) DO NOTHING',
  );
  const window = db.prepare<[number], WindowRow>('SELECT * FROM window WHERE seq = ?');
  const unchecked = db.prepare<[number], WindowRow>(
    'SELECT * FROM window WHERE checked = 0 AND seq > ? ORDER BY seq LIMIT 1',
  );
  const markChecked = db.prepare('UPDATE window SET checked = 1 WHERE seq = ?');
  const highest = db.prepare<[], { readonly seq: number }>(
    'SELECT coalesce(max(seq), -1) AS seq FROM window',
  );
  const entry = db.prepare<[Uint8Array], { readonly hash: Uint8Array; readonly seq: number }>(
    'SELECT hash, seq FROM entry WHERE label = ?',
  );
  const insertEntry = db.prepare('INSERT INTO entry VALUES (?, ?, ?) ON CONFLICT DO NOTHING');
  const insertFinding = db.prepare(
    'INSERT INTO finding (code, subject, detail, found_at_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
  );
  const findings = db.prepare<[], { readonly count: number }>(
    'SELECT count(*) AS count FROM finding',
  );
  return {
    nextBlock: () => BigInt(next.get()?.next_block ?? '0'),
    /** Events up to a block, and that they were read, in one transaction. */
    takeEvents: (windows: readonly SeenWindow[], nextBlock: bigint): void => {
      db.transaction(() => {
        for (const w of windows) insertWindow.run(w.seq, w.hash, w.blockNumber, w.blockSeconds);
        setNext.run(nextBlock.toString());
      }).immediate();
    },
    window: (seq: number): SeenWindow | undefined => toWindow(window.get(seq)),
    /** The first above `after` whose list was not checked yet. */
    nextUnchecked: (after: number): SeenWindow | undefined => toWindow(unchecked.get(after)),
    highestSeq: () => highest.get()?.seq ?? -1,
    ...listedWindows(db),
    /** Marks the window as checked and keeps its entries. @returns labels that stood elsewhere with another statement */
    takeEntries: (seq: number, entries: readonly Uint8Array[]) =>
      db
        .transaction(() => {
          const forked: { readonly label: string; readonly seq: number }[] = [];
          for (const bytes of entries) {
            const [label, hash] = [bytes.subarray(0, 32), bytes.subarray(32)];
            const before = entry.get(label);
            if (before === undefined) insertEntry.run(label, hash, seq);
            else if (before.seq !== seq) forked.push({ label: toHex(label), seq: before.seq });
          }
          markChecked.run(seq);
          return forked;
        })
        .immediate(),
    entryOf: (label: Uint8Array) => entry.get(label),
    /** @returns whether it is new */
    keepFinding: ({ code, subject, detail }: Finding, nowMs: number): boolean =>
      insertFinding.run(code, subject, detail, nowMs).changes > 0,
    countFindings: () => findings.get()?.count ?? 0,
    close: () => {
      db.close();
    },
  };
}

/** What sites list: the first word of each stays, and what it lists now stands beside it. */
function listedWindows(db: Database.Database) {
  const said = db.prepare<[string, number], SaidRow>(
    'SELECT * FROM said WHERE site = ? AND seq = ?',
  );
  const say = db.prepare(
    `INSERT INTO said (site, seq, hash, listed_hash, tree_size) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (site, seq) DO UPDATE
     SET listed_hash = excluded.listed_hash, tree_size = excluded.tree_size`,
  );
  const others = db.prepare<[number, string], SaidRow>(
    'SELECT * FROM said WHERE seq = ? AND site <> ?',
  );
  const markAnchored = db.prepare(
    'UPDATE said SET anchored = 1 WHERE anchored = 0 AND EXISTS (SELECT 1 FROM window WHERE window.seq = said.seq)',
  );
  const unanchored = db.prepare<[string, number], { readonly seq: number }>(
    'SELECT seq FROM said WHERE site = ? AND anchored = 0 AND seq > ? ORDER BY seq LIMIT 1',
  );
  const compare = (site: string, { seq, recordHash, treeSize }: IndexedWindow): readonly Word[] => {
    const known = said.get(site, seq);
    const isSame =
      known?.tree_size === treeSize && equalBytes(known.listed_hash ?? EMPTY, recordHash);
    if (!isSame) say.run(site, seq, recordHash, recordHash, treeSize);
    const words: Word[] = [];
    if (known !== undefined && !equalBytes(known.hash, recordHash)) {
      words.push({ seq, site, hash: known.hash, now: recordHash });
    }
    for (const { site: other, listed_hash } of others.all(seq, site)) {
      if (listed_hash === null || equalBytes(listed_hash, recordHash)) continue;
      words.push({ seq, site: other, hash: listed_hash, now: recordHash });
    }
    return words;
  };
  return {
    /** Takes what a site lists, in one transaction. @returns what contradicts its own first word, or another site's */
    list: (site: string, windows: readonly IndexedWindow[]): readonly Word[] =>
      db.transaction(() => windows.flatMap((window) => compare(site, window))).immediate(),
    listed: (site: string, seq: number): IndexedWindow | undefined => {
      const row = said.get(site, seq);
      if (row === undefined || row.listed_hash === null || row.tree_size === null) return undefined;
      return { seq, recordHash: Uint8Array.from(row.listed_hash), treeSize: row.tree_size };
    },
    /** Looks which of what is listed has an event by now. */
    markAnchored: (): void => {
      markAnchored.run();
    },
    /** The first above `after` that a site once listed and no event anchors. */
    nextUnanchored: (site: string, after: number): number | undefined =>
      unanchored.get(site, after)?.seq,
  };
}

function openDatabase(folder: string): Database.Database {
  try {
    mkdirSync(folder, { recursive: true });
    const db = new Database(join(folder, 'monitor.sqlite'), { timeout: 0 });
    db.pragma('locking_mode = EXCLUSIVE');
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.transaction(() => {
      const version = Number(db.pragma('user_version', { simple: true }));
      for (const step of SCHEMA_STEPS.slice(version)) db.exec(step);
      db.pragma(`user_version = ${SCHEMA_STEPS.length}`);
    }).exclusive();
    return db;
  } catch (cause) {
    throw stateError(`the state in ${folder} cannot be used`, cause);
  }
}

function toWindow(row: WindowRow | undefined): SeenWindow | undefined {
  return (
    row && {
      seq: row.seq,
      hash: row.hash,
      blockNumber: row.block_number,
      blockSeconds: row.block_seconds,
    }
  );
}

function stateError(sentence: string, cause?: unknown): OperationalError {
  return new OperationalError('MONITOR_STATE', sentence, { retryable: false, cause });
}
