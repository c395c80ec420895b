/**
 * Commits a group without holding up the process for the disk: the transaction goes into SQLite's write-ahead log,
 * and a thread of the runtime syncs that file.
 *
 * Why that is enough. With `synchronous = NORMAL` a commit in WAL mode is the frames written to the log and no sync;
 * the sync here is the very call that FULL makes (SQLite, "PRAGMA synchronous"). A power cut before it may lose the
 * whole transaction, never part of it, and nobody was told anything. Every other transaction of the store is FULL: one
 * that builds on the group, such as a window over its statements, syncs the same file, group included.
 */
import { closeSync, fdatasync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import type Database from 'better-sqlite3';

/** Of an open file: resolves when what was written is on the disk. */
export type SyncFile = (descriptor: number) => Promise<void>;

export type GroupSync = {
  /** All or nothing. Resolves when it is durable. A failed sync leaves that unknown. */
  commit<T>(work: () => T): Promise<T>;
  /** Resolves when all that can be read now is durable; rejects once a sync failed. */
  durable(): Promise<void>;
  /** Before the database is closed, which removes the file. */
  close(): void;
};

/** @param db in WAL mode: its log is one file for all processes, and stays the same one while any has the database open */
export function groupSync(db: Database.Database, sync: SyncFile = promisify(fdatasync)): GroupSync {
  // SQLite holds no locks on its log, so closing this descriptor drops none.
  const log = openSync(`${db.name}-wal`, 'r');
  // Of all commits so far: one that failed is never forgotten for one that succeeded behind it.
  let synced: Promise<unknown> = Promise.resolve();
  return {
    commit: async (work) => {
      const result = withoutSync(db, work);
      synced = Promise.all([synced, sync(log)]);
      await synced;
      return result;
    },
    durable: async () => {
      await synced;
    },
    close: () => closeSync(log),
  };
}

function withoutSync<T>(db: Database.Database, work: () => T): T {
  db.pragma('synchronous = NORMAL');
  try {
    return db.transaction(work).immediate();
  } finally {
    db.pragma('synchronous = FULL');
  }
}
