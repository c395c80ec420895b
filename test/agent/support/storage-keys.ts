/** Storage keys as units have them, and one that never changes. */
import { storageKeys } from '../../../agent/keys.ts';
import type { StorageKeys } from '../../../agent/ports.ts';
import { createKeyFile, destroyKeyFile, readKeyFile } from '../../../hw/keys/key-file.ts';
import { PRIMITIVES } from './primitives.ts';

export function keysOf(dataDir: string): StorageKeys {
  const files = { create: createKeyFile, read: readKeyFile, destroy: destroyKeyFile };
  return storageKeys(dataDir, files, PRIMITIVES.random);
}

export function fixedKey(key: Uint8Array): StorageKeys {
  return { read: () => key, make: () => undefined, keepOnly: () => undefined };
}
