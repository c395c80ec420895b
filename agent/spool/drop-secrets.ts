/** Takes names and keys of all streams out of a spool that nothing is recorded into any more. */
import { storageError } from '../storage-error.ts';
import { lockSpool, openIndexForWriting } from './index-database.ts';

/**
 * Durable when it returns. What is sealed to the owner stays. Rows are only forgotten by the index, and their bytes may
 * stand in its free pages: they open with the storage key alone, which goes with them.
 * @throws UserError SPOOL_IN_USE; OperationalError STORAGE_*, SPOOL_*
 */
export function dropSecrets(folder: string): void {
  const lock = lockSpool(folder);
  try {
    const database = openIndexForWriting(folder);
    try {
      database.exec('BEGIN; DELETE FROM stream_roots; DELETE FROM journal_root; COMMIT');
    } finally {
      database.close();
    }
  } catch (cause) {
    throw storageError(cause);
  } finally {
    lock.release();
  }
}
