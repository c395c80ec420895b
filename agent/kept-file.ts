/** Small files that a unit keeps: whole or not there, and durable before anybody acts on them. */
import {
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { makeFolder, syncFolder } from './folder.ts';
import { storageError } from './storage-error.ts';

const ONLY_FOR_ITS_OWNER = 0o600;

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
export function keepFile(
  folder: string,
  name: string,
  content: Uint8Array | string,
  mode = ONLY_FOR_ITS_OWNER,
): void {
  write(folder, name, { content, mode }, renameSync);
}

/** Never written over. @throws OperationalError STORAGE_*, also when the file is there */
export function keepNewFile(folder: string, name: string, content: Uint8Array): void {
  write(folder, name, { content, mode: ONLY_FOR_ITS_OWNER }, linkSync);
}

/**
 * The bytes are on the disk before the name is, and the name before this returns. A kill in between leaves a `.new`
 * file that the next attempt replaces.
 */
function write(
  folder: string,
  name: string,
  { content, mode }: { readonly content: Uint8Array | string; readonly mode: number },
  giveName: (from: string, to: string) => void,
): void {
  const missing = missingFolders(resolve(folder));
  makeFolder(folder);
  const path = join(folder, name);
  const unfinished = `${path}.new`;
  try {
    for (const made of missing) giveToOwnerAbove(made);
    rmSync(unfinished, { force: true });
    const descriptor = openSync(unfinished, 'wx', mode);
    try {
      writeFileSync(descriptor, content);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    giveToOwnerAbove(unfinished);
    giveName(unfinished, path);
    rmSync(unfinished, { force: true });
    syncFolder(folder);
  } catch (cause) {
    throw storageError(cause);
  }
}

/** The one that is nearest to the root first. */
function missingFolders(folder: string): readonly string[] {
  return existsSync(folder) ? [] : [...missingFolders(dirname(folder)), folder];
}

/** What root leaves, the agent must be able to read and to remove: it is of whoever the folder above is of. */
function giveToOwnerAbove(path: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(dirname(path));
  chownSync(path, uid, gid);
}
