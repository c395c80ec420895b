/**
 * The two ways in which SQLite runs out of room: in its log, and in the index of that log, which grows by 32 KiB after
 * each 4,096 pages. In the second case the pages of the transaction are written already, and all the same it is none.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, expect, test } from 'vitest';
import { Status } from '../../../anchor-service/status.ts';
import type { OperationalError } from '../../../core/errors.ts';
import { mountSmallDisk } from '../../agent/support/small-disk.ts';
import { Cleanup } from '../support/cleanup.ts';
import { leadingStores } from '../support/leading-stores.ts';

const cleanup = new Cleanup();
afterEach(async () => await cleanup.run());

const PAGE = 4096;
const MEGABYTE = 1 << 20;
/** The first part of the index holds so many pages of the log; a page of the log takes 24 bytes more. */
const FIRST_PART = 4062;

test('without room for the log or for its index nothing is committed, and the same is when there is room', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wmk-full-'));
  const disk = mountSmallDisk(folder, 32);
  cleanup.add(() => {
    disk[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });
  const dataDir = join(disk.path, 'service');
  const { stores, close } = leadingStores(dataDir);
  let committed = 0;
  const put = async (bytes: number): Promise<void> => {
    await stores.intake.inGroup(() => stores.intake.insertAcceptance(new Uint8Array(bytes)));
    committed += 1;
  };
  // Up to a few pages before the second part of the index.
  while (committed < Math.floor((FIRST_PART * PAGE) / MEGABYTE) - 1) await put(MEGABYTE);

  const ballast = join(disk.path, 'ballast');
  let size = fill(ballast);
  const causes = new Set<unknown>();
  // A page of room at a time: the log takes what there is, and the index finds none.
  for (let i = 0; i < 4 * (MEGABYTE / PAGE); i += 1) {
    try {
      await put(2 * PAGE);
    } catch (error) {
      expect(error).toMatchObject({ code: 'DISK_FULL', retryable: true });
      expect(countOf(dataDir)).toBe(committed);
      causes.add(((error as OperationalError).cause as { code: unknown }).code);
      size -= PAGE;
      truncateSync(ballast, size);
    }
    if (causes.has('SQLITE_IOERR_SHMSIZE')) break;
  }
  expect([...causes]).toEqual(['SQLITE_FULL', 'SQLITE_IOERR_SHMSIZE']);
  // What a kill at this moment leaves: the log has the transaction, as after a kill right behind its commit.
  const killed = join(folder, 'killed');
  mkdirSync(killed);
  for (const name of ['anchor-service.sqlite', 'anchor-service.sqlite-wal']) {
    copyFileSync(join(dataDir, name), join(killed, name));
  }
  expect(countOf(killed)).toBe(committed + 1);

  disk.grow(64);
  for (let i = 0; i < 10; i += 1) await put(2 * PAGE);
  expect(countOf(dataDir)).toBe(committed);
  close();
  expect(countOf(dataDir)).toBe(committed);
}, 60_000);

test.each(['SQLITE_FULL', 'SQLITE_IOERR_SHMSIZE'])(
  'a step that meets %s is tried again',
  async (code) => {
    const status = new Status({ nowMs: () => 0 }, () => undefined);
    status.failed('window', Object.assign(new Error('no room'), { code }));
    expect(status.problems().map((problem) => problem.code)).toEqual(['DISK_FULL']);
    expect(status.halt).toBeUndefined();
    status.succeeded('window');
    expect(status.problems()).toEqual([]);
    // Of any other failed write it is unknown what is durable.
    status.failed('window', Object.assign(new Error('bad disk'), { code: 'SQLITE_IOERR_WRITE' }));
    await status.halted;
  },
);

/** By a connection of its own, as another process would. */
function countOf(dataDir: string): number {
  const db = new Database(join(dataDir, 'anchor-service.sqlite'), { readonly: true });
  try {
    return db.prepare<[], number>('SELECT count(*) FROM acceptance').pluck().get() ?? -1;
  } finally {
    db.close();
  }
}

/** To the last page. @returns bytes */
function fill(path: string): number {
  let size = 0;
  writeFileSync(path, '');
  for (const step of [MEGABYTE, 1 << 16, PAGE]) {
    try {
      for (;;) {
        writeFileSync(path, Buffer.alloc(step), { flag: 'a' });
        size += step;
      }
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ENOSPC') throw error;
      truncateSync(path, size);
    }
  }
  return size;
}
