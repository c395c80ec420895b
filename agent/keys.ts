/** The unit's two key files: what signs for the device, and what opens the spool (SECURITY.md, "Keys"). */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../core/errors.ts';
import { makeFolder } from './folder.ts';
import type { RandomBytes } from './ports.ts';

const DEVICE_KEY = { file: 'device.key', purpose: 'device-key ES256K' } as const;
const STORAGE_KEY = { file: 'storage.key', purpose: 'storage-key' } as const;

/** How secrets are kept: `hw/keys/key-file.ts`. */
export type KeyFiles = {
  create(path: string, purpose: string, secret: Uint8Array): void;
  read(path: string, purpose: string): Uint8Array;
  /** Written over and gone; nothing where the file is not there. */
  destroy(path: string): void;
};

export function keyFolder(dataDir: string): string {
  return join(dataDir, 'keys');
}

export function hasDeviceKey(dataDir: string): boolean {
  return existsSync(join(keyFolder(dataDir), DEVICE_KEY.file));
}

/** @throws UserError KEY_FILE_* */
export function readStorageKey(dataDir: string, files: KeyFiles): Uint8Array {
  return files.read(join(dataDir, 'keys', STORAGE_KEY.file), STORAGE_KEY.purpose);
}

/** Undefined when the unit has none yet. @throws UserError KEY_FILE_* */
export function readDeviceKey(dataDir: string, files: KeyFiles): Uint8Array | undefined {
  const path = join(dataDir, 'keys', DEVICE_KEY.file);
  return existsSync(path) ? files.read(path, DEVICE_KEY.purpose) : undefined;
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
  if (!spoolExists && existsSync(join(folder, DEVICE_KEY.file))) {
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
 * @throws UserError KEY_FILE_*
 */
export function openDeviceKey(
  dataDir: string,
  hasHistory: boolean,
  files: KeyFiles,
  newSecret: () => Uint8Array,
): Uint8Array {
  const path = join(dataDir, 'keys', DEVICE_KEY.file);
  if (!hasHistory && !existsSync(path)) files.create(path, DEVICE_KEY.purpose, newSecret());
  return files.read(path, DEVICE_KEY.purpose);
}
