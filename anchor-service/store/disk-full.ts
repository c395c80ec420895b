/** A full disk: SQLite says so before the commit is there, and takes the whole transaction back. */
import { OperationalError } from '../../core/errors.ts';

/**
 * For want of room in the log, or in the index of the log. In the second case the log has the whole transaction: the
 * next one is written over it, and where the process dies before, the next start finds it committed. Nobody was told
 * of it, so that is what a kill right after a commit leaves.
 */
export function isDiskFull(cause: unknown): boolean {
  const { code } = cause as { code?: unknown };
  return code === 'SQLITE_FULL' || code === 'SQLITE_IOERR_SHMSIZE';
}

/**
 * Nothing of the transaction counts: the same may be tried when there is room.
 * Any other failed write leaves it unknown what is durable.
 * @throws OperationalError DISK_FULL (retryable)
 */
export async function whenThereIsRoom<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    if (!isDiskFull(cause)) throw cause;
    const sentence = 'the disk under the data folder is full';
    throw new OperationalError('DISK_FULL', sentence, { retryable: true, cause });
  }
}
