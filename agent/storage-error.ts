/** Failures of the disk, by what a person can do about them. */
import { OperationalError } from '../core/errors.ts';

/** The last is the memory that readers and writer of the index share: a file, which found no room to grow. */
const FULL = ['ENOSPC', 'EDQUOT', 'EFBIG', 'SQLITE_FULL', 'SQLITE_IOERR_SHMSIZE'];
const READ_ONLY = ['EROFS', 'EACCES', 'EPERM', 'SQLITE_READONLY'];
const DAMAGED = ['SQLITE_CORRUPT', 'SQLITE_NOTADB'];
/** Codes of the system and of SQLite; a broken constraint is a mistake of ours, not the world's. */
const OF_THE_WORLD = /^(E[A-Z0-9]+|SQLITE_(?!CONSTRAINT)\w+)$/;

/**
 * Durability is unknown after any of these: the caller stops, and start-up recovery decides.
 * Codes STORAGE_FULL, STORAGE_READ_ONLY, STORAGE_FAILED, SPOOL_DAMAGED. Our own mistakes come back as they are.
 */
export function storageError(cause: unknown): Error {
  if (!(cause instanceof Error))
    return new Error('something was thrown that is no error', { cause });
  const code = 'code' in cause ? String(cause.code) : '';
  if (cause instanceof OperationalError || !OF_THE_WORLD.test(code)) return cause;
  const is = (codes: readonly string[]) => codes.some((known) => code.startsWith(known));
  if (is(FULL)) return error('STORAGE_FULL', 'the disk of the spool is full', cause);
  if (is(READ_ONLY)) return error('STORAGE_READ_ONLY', 'the spool cannot be written', cause);
  if (is(DAMAGED)) return error('SPOOL_DAMAGED', 'the index of the spool is damaged', cause);
  return error('STORAGE_FAILED', `the spool cannot be written or read (${code})`, cause);
}

/** Of what `storageError` gives: the one failure that more room would cure. */
export function isStorageFull(error: unknown): boolean {
  return error instanceof OperationalError && error.code === 'STORAGE_FULL';
}

function error(code: string, message: string, cause: unknown): OperationalError {
  return new OperationalError(code, message, { retryable: false, cause });
}
