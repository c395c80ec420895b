/** Folders of a unit: only for their owner, and there after a power cut. */
import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { storageError } from './storage-error.ts';

/** Does nothing when it is there. @throws OperationalError STORAGE_* */
export function makeFolder(path: string): void {
  try {
    const first = mkdirSync(path, { recursive: true, mode: 0o700 });
    if (first === undefined) return;
    // A file synced in a folder whose own name is not durable is lost with it.
    const above = dirname(first);
    for (let made = resolve(path); made !== above; ) {
      made = dirname(made);
      syncFolder(made);
    }
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
