/**
 * Room that is set aside so that a spool can be opened on a full disk: the index needs some before anything can be
 * evicted. Implements spec/spool.md, "Full disk".
 */
import { existsSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isStorageFull } from '../storage-error.ts';

const FILE = 'reserve';
const BYTES = 1 << 20;

/** @returns whether there was any */
function spendReserve(folder: string): boolean {
  const path = join(folder, FILE);
  if (!existsSync(path)) return false;
  rmSync(path);
  return true;
}

/** Sets it aside again when it is gone and the disk has the room; a disk that has not is not troubled. */
export function keepReserve(folder: string): void {
  const path = join(folder, FILE);
  if (existsSync(path)) return;
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize < 2 * BYTES) return;
  try {
    writeFileSync(path, new Uint8Array(BYTES), { mode: 0o600 });
  } catch {
    // Less room than was said: without a reserve the spool is as good as it was.
    rmSync(path, { force: true });
  }
}

/** The index writes before anything can be evicted, so room is set aside for that. */
export function openInSpiteOfFullDisk<T>(folder: string, open: () => T): T {
  try {
    const opened = open();
    keepReserve(folder);
    return opened;
  } catch (error) {
    if (!isStorageFull(error) || !spendReserve(folder)) throw error;
    return open();
  }
}
