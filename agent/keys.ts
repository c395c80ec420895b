/** The unit's two key files: what signs for the device, or says where that is, and what opens the spool (SECURITY.md, "Keys"). */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../core/errors.ts';
import { makeFolder } from './folder.ts';
import type { DeviceKeyStore, RandomBytes, Signer } from './ports.ts';

const DEVICE_KEY = 'device.key';
const STORAGE_KEY = { file: 'storage.key', purpose: 'storage-key' } as const;

/** How secrets are kept: `hw/keys/key-file.ts`. */
export type KeyFiles = {
  create(path: string, purpose: string, secret: Uint8Array): void;
  read(path: string, purpose: string): Uint8Array;
};

/** @throws UserError KEY_FILE_* */
export function readStorageKey(dataDir: string, files: KeyFiles): Uint8Array {
  return files.read(join(dataDir, 'keys', STORAGE_KEY.file), STORAGE_KEY.purpose);
}

/** Undefined when the unit has none yet. @throws UserError KEY_FILE_*, DEVICE_KEY_KIND */
export function readDeviceKey(dataDir: string, store: DeviceKeyStore): Signer | undefined {
  const path = join(dataDir, 'keys', DEVICE_KEY);
  return existsSync(path) ? store.open(path) : undefined;
}

/**
 * First of three steps of a new unit: storage key, then spool, then device key. A kill after any of
 * them is taken up by the next start, because the device key comes last: a device key without a spool
 * means that a history was lost or moved, and a second one must not begin under the same key.
 * @throws UserError KEY_FILE_*, SPOOL_MISSING; OperationalError STORAGE_*
 */
export function openStorageKey(
  dataDir: string,
  spoolExists: boolean,
  files: KeyFiles,
  random: RandomBytes,
): Uint8Array {
  const folder = join(dataDir, 'keys');
  if (!spoolExists && existsSync(join(folder, DEVICE_KEY))) {
    throw new UserError(
      'SPOOL_MISSING',
      `${dataDir} has a device key but no spool: its history is elsewhere, and is not begun twice`,
    );
  }
  const path = join(folder, STORAGE_KEY.file);
  if (!spoolExists && !existsSync(path)) {
    makeFolder(folder);
    files.create(path, STORAGE_KEY.purpose, random(32));
  }
  return files.read(path, STORAGE_KEY.purpose);
}

/**
 * Last of the three steps.
 * @param hasHistory whether the spool belongs to a log; its device key is then never made anew
 * @throws UserError KEY_FILE_*, DEVICE_KEY_KIND; as `store.create`
 */
export function openDeviceKey(dataDir: string, hasHistory: boolean, store: DeviceKeyStore): Signer {
  const path = join(dataDir, 'keys', DEVICE_KEY);
  if (!hasHistory && !existsSync(path)) store.create(path);
  return store.open(path);
}
