/** What the disk below a folder was made to write, by everybody: the file system's own journal is in it. */
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';

const SECTOR_BYTES = 512;
/** Fields of a line of /proc/diskstats: major, minor, name, four of reads, writes, merged, sectors written. */
const SECTORS_WRITTEN = 9;

/** @returns bytes since the start of the machine, after everything that waits; undefined without such a disk */
export function diskWrites(folder: string): number | undefined {
  spawnSync('sync', ['-f', folder]);
  const { dev } = statSync(folder);
  // The kernel's numbers as makedev(3) puts them together.
  const major = (dev >> 8) & 0xfff;
  const minor = (dev & 0xff) | ((dev >> 12) & 0xfff00);
  for (const line of readFileSync('/proc/diskstats', 'latin1').split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (Number(fields[0]) !== major || Number(fields[1]) !== minor || fields.length < 10) continue;
    return Number(fields[SECTORS_WRITTEN]) * SECTOR_BYTES;
  }
  return undefined;
}
