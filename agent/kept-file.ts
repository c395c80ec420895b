/** Small files that a unit keeps: whole or not there, and durable before anybody acts on them. */
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { makeFolder, syncFolder } from './folder.ts';
import { storageError } from './storage-error.ts';

/** @throws OperationalError STORAGE_* */
export function readIfThere(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'ENOENT') return undefined;
    throw storageError(cause);
  }
}

/** In the place of what was there. @throws OperationalError STORAGE_* */
export function keepFile(folder: string, name: string, content: Uint8Array): void {
  write(folder, name, content, renameSync);
}

/** Never written over. @throws OperationalError STORAGE_*, also when the file is there */
export function keepNewFile(folder: string, name: string, content: Uint8Array): void {
  write(folder, name, content, linkSync);
}

/**
 * The bytes are on the disk before the name is, and the name before this returns. A kill in between leaves a `.new`
 * file that the next attempt replaces.
 */
function write(
  folder: string,
  name: string,
  content: Uint8Array,
  giveName: (from: string, to: string) => void,
): void {
  makeFolder(folder);
  const path = join(folder, name);
  const unfinished = `${path}.new`;
  try {
    rmSync(unfinished, { force: true });
    const descriptor = openSync(unfinished, 'wx', 0o600);
    try {
      writeSync(descriptor, content);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    giveName(unfinished, path);
    rmSync(unfinished, { force: true });
    syncFolder(folder);
  } catch (cause) {
    throw storageError(cause);
  }
}
