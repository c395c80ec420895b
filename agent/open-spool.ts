/** Opens a spool to write what no session does: of a unit without an agent, or of an ended epoch. */
import { existsSync } from 'node:fs';
import { UserError } from '../core/errors.ts';
import { hasStorageKey, storageKeys } from './keys.ts';
import type { Machine } from './machine.ts';
import type { StorageKeys } from './ports.ts';
import { Spool } from './spool/spool.ts';
import { spoolFolder } from './unit.ts';

/** Opens nothing: in the spool of an ended epoch there are no rows left that a key would open. */
const NO_KEYS: StorageKeys = {
  read: () => new Uint8Array(32),
  make: () => undefined,
  keepOnly: () => undefined,
};

/** @throws OperationalError STORAGE_*, SPOOL_* */
export function openEndedSpool(folder: string, { primitives, atCommitPoint }: Machine): Spool {
  return Spool.open(spoolFolder(folder), NO_KEYS, primitives, atCommitPoint);
}

/** @throws UserError SPOOL_MISSING, KEY_FILE_*; OperationalError SPOOL_IN_USE, STORAGE_*, SPOOL_* */
export function openSpoolOf(folder: string, machine: Machine): Spool {
  if (!existsSync(spoolFolder(folder))) {
    throw new UserError('SPOOL_MISSING', `expected the data folder of a unit, got ${folder}`);
  }
  if (!hasStorageKey(folder)) return openEndedSpool(folder, machine);
  const { primitives, keyFiles, atCommitPoint } = machine;
  const keys = storageKeys(folder, keyFiles, primitives.random);
  return Spool.open(spoolFolder(folder), keys, primitives, atCommitPoint);
}
