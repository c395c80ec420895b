/** Storage keys as units have them, and one that never changes. */
import { join } from 'node:path';
import { openStorageKeys, storageKeys } from '../../../agent/keys.ts';
import type { StorageKeys } from '../../../agent/ports.ts';
import { spoolExists } from '../../../agent/spool/index-database.ts';
import { createKeyFile, destroyKeyFile, readKeyFile } from '../../../hw/keys/key-file.ts';
import { PRIMITIVES } from './primitives.ts';

const FILES = { create: createKeyFile, read: readKeyFile, destroy: destroyKeyFile };

export function keysOf(dataDir: string): StorageKeys {
  return storageKeys(dataDir, FILES, PRIMITIVES.random);
}

/** Makes the first one for a unit that has none. */
export function openKeys(dataDir: string): StorageKeys {
  const isKnown = spoolExists(join(dataDir, 'spool'));
  return openStorageKeys(dataDir, isKnown, FILES, PRIMITIVES.random);
}

export function fixedKey(key: Uint8Array): StorageKeys {
  return { read: () => key, make: () => undefined, keepOnly: () => undefined };
}
