/** The hand-over as the unit keeps it: a file beside the spool until the epoch is ended, and then with it. */
import { join } from 'node:path';
import { equalBytes } from '../../core/bytes.ts';
import { decodeHandOver, type HandOver } from '../../core/hand-over.ts';
import { keepFile, readIfThere } from '../kept-file.ts';

const HAND_OVER = 'hand-over.wmh';

export function handOverPath(folder: string): string {
  return join(folder, HAND_OVER);
}

/** @throws OperationalError STORAGE_*; FormatError of a damaged file */
export function readHandOver(folder: string): HandOver | undefined {
  const bytes = readIfThere(handOverPath(folder));
  return bytes && decodeHandOver(bytes).handOver;
}

/** Whether it is this one that was taken. @throws OperationalError STORAGE_* */
export function isKept(dataDir: string, handOver: Uint8Array): boolean {
  const bytes = readIfThere(handOverPath(dataDir));
  return bytes !== undefined && equalBytes(bytes, handOver);
}

/** Durable when it returns: from then on the epoch is over, whatever happens to the process. */
export function keepHandOver(dataDir: string, handOver: Uint8Array): void {
  keepFile(dataDir, HAND_OVER, handOver);
}
