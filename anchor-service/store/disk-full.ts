/** A full disk: SQLite says so before the commit is there, and takes the whole transaction back. */
import { OperationalError } from '../../core/errors.ts';

/**
 * Nothing of the transaction is durable, and nothing is in doubt: the same may be tried when there is room.
 * Any other failed write leaves it unknown what is durable.
 * @throws OperationalError DISK_FULL (retryable)
 */
export async function whenThereIsRoom<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== 'SQLITE_FULL') throw cause;
    const sentence = 'the disk under the data folder is full';
    throw new OperationalError('DISK_FULL', sentence, { retryable: true, cause });
  }
}
