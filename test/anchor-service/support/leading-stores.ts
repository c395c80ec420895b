/** The stores of a process that holds the lease. */
import { openStoreFile, type Stores } from '../../../anchor-service/store/open-stores.ts';

export function leadingStores(dataDir: string): {
  readonly stores: Stores;
  readonly close: () => void;
} {
  const file = openStoreFile(dataDir);
  const term = file.lease.take(file.lease.look(), 'a test');
  if (term === undefined) throw new Error('another process leads');
  return { stores: file.lead(term), close: () => file.close() };
}
