/**
 * Files that somebody lays into a folder of the unit for the agent to take: read up to a size, removed when done with, or put
 * aside with the reason. All functions: @throws OperationalError STORAGE_*
 */
import { readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, syncFolder } from './folder.ts';
import { keepFile } from './kept-file.ts';
import { storageError } from './storage-error.ts';

const REFUSED = 'refused';

export function refusedFolderIn(folder: string): string {
  return join(folder, REFUSED);
}

/** Names, in their order. A folder that is not there has none. */
export function filesIn(folder: string): readonly string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map(({ name }) => name)
      .sort();
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'ENOENT') return [];
    throw storageError(cause);
  }
}

/** `maxBytes + 1` bytes, of nothing, where the file is longer: what decodes it says that it is too long. */
export function readLaid(folder: string, name: string, maxBytes: number): Uint8Array {
  const path = join(folder, name);
  try {
    return statSync(path).size > maxBytes ? new Uint8Array(maxBytes + 1) : readFileSync(path);
  } catch (cause) {
    throw storageError(cause);
  }
}

/** Durable when it returns; what is gone is no mistake. */
export function removeFiles(folder: string, names: readonly string[]): void {
  if (names.length === 0) return;
  try {
    for (const name of names) rmSync(join(folder, name), { force: true });
    syncFolder(folder);
  } catch (cause) {
    throw storageError(cause);
  }
}

/**
 * Out of the way of the others, and kept, with the reason beside it. The reason comes first: a kill in between leaves
 * the file where it was, and it is refused once more.
 */
export function refuseLaid(folder: string, name: string, code: string, message: string): void {
  const refused = refusedFolderIn(folder);
  makeFolder(refused);
  keepFile(refused, `${name}.code`, `${code}: ${message}\n`);
  try {
    renameSync(join(folder, name), join(refused, name));
    syncFolder(refused);
    syncFolder(folder);
  } catch (cause) {
    throw storageError(cause);
  }
}
