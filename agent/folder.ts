/** Folders of a unit: only for their owner, and there after a power cut. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { storageError } from './storage-error.ts';

/**
 * With all folders above it; does nothing when it is there. One by one, since a file that is synced in a
 * folder whose own name is not durable is lost with it.
 * @throws OperationalError STORAGE_*
 */
export function makeFolder(path: string): void {
  if (existsSync(path)) return;
  const above = dirname(resolve(path));
  makeFolder(above);
  try {
    mkdirSync(path, { mode: 0o700 });
    syncFolder(above);
  } catch (cause) {
    throw storageError(cause);
  }
}

/** The names in the folder are durable when it returns. */
export function syncFolder(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** What the files in the folder and below it take of the disk. Files may come and go meanwhile. */
export function folderBytes(path: string): number {
  let entries: readonly string[];
  try {
    entries = readdirSync(path, { recursive: true, encoding: 'utf8' });
  } catch {
    return 0;
  }
  return entries.reduce((sum, entry) => {
    const found = statSync(join(path, entry), { throwIfNoEntry: false });
    // In units of 512 bytes, whatever the file system's own are (POSIX).
    return sum + (found?.isFile() === true ? found.blocks * 512 : 0);
  }, 0);
}
