/** The unit's key files: what signs for the device, or says where that is, and what opens the spool (SECURITY.md, "Keys"). */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { OperationalError, UserError } from '../core/errors.ts';
import { makeFolder } from './folder.ts';
import type { DeviceKeyStore, RandomBytes, Signer, StorageKeys } from './ports.ts';
import { storageError } from './storage-error.ts';

const DEVICE_KEY = 'device.key';
const STORAGE_PURPOSE = 'storage-key';
/** Of every generation, and what a kill left of one that was being made. */
const STORAGE_FILES = /^storage(-\d+)?\.key(\.new)?$/;

/** The first one has the name that it had when there was no other. */
function storageFile(generation: number): string {
  return generation === 0 ? 'storage.key' : `storage-${generation}.key`;
}

/** How secrets are kept: `hw/keys/key-file.ts`. */
export type KeyFiles = {
  create(path: string, purpose: string, secret: Uint8Array): void;
  read(path: string, purpose: string): Uint8Array;
  /** Durable when it returns; one that is not there is no mistake. */
  destroy(path: string): void;
};

function keyFolder(dataDir: string): string {
  return join(dataDir, 'keys');
}

export function hasDeviceKey(dataDir: string): boolean {
  return existsSync(join(keyFolder(dataDir), DEVICE_KEY));
}

/**
 * And what a kill left of one that was being made. May be repeated from wherever a kill left it.
 * @throws as `store.destroy`
 */
export function destroyDeviceKey(dataDir: string, store: DeviceKeyStore, files: KeyFiles): void {
  const path = join(keyFolder(dataDir), DEVICE_KEY);
  store.destroy(path);
  files.destroy(`${path}.new`);
}

/** Everything that is left in the folder of keys. @throws OperationalError KEY_FILE_DESTROY */
export function destroyRemainingKeys(dataDir: string, files: KeyFiles): void {
  const folder = keyFolder(dataDir);
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) files.destroy(join(folder, name));
}

/** An ended epoch has none. */
export function hasStorageKey(dataDir: string): boolean {
  const folder = keyFolder(dataDir);
  return existsSync(folder) && readdirSync(folder).some((name) => STORAGE_FILES.test(name));
}

/** Which of them is in force stands in the index of the spool. */
export function storageKeys(dataDir: string, files: KeyFiles, random: RandomBytes): StorageKeys {
  const folder = keyFolder(dataDir);
  const pathOf = (generation: number): string => join(folder, storageFile(generation));
  return {
    read: (generation) => files.read(pathOf(generation), STORAGE_PURPOSE),
    make: (generation) =>
      onDisk(() => {
        files.destroy(pathOf(generation));
        files.create(pathOf(generation), STORAGE_PURPOSE, random(32));
      }),
    keepOnly: (generation) =>
      onDisk(() => {
        for (const name of readdirSync(folder)) {
          const isOther = STORAGE_FILES.test(name) && name !== storageFile(generation);
          if (isOther) files.destroy(join(folder, name));
        }
      }),
  };
}

/** A disk that refuses is the spool's as well, and is waited for as elsewhere. @throws OperationalError STORAGE_* */
function onDisk(work: () => void): void {
  try {
    work();
  } catch (error) {
    const isOfFile = error instanceof OperationalError && error.code.startsWith('KEY_FILE_');
    throw storageError(isOfFile ? error.cause : error);
  }
}

/** Undefined when the unit has none yet. @throws UserError KEY_FILE_*, DEVICE_KEY_KIND */
export function readDeviceKey(dataDir: string, store: DeviceKeyStore): Signer | undefined {
  const path = join(keyFolder(dataDir), DEVICE_KEY);
  return existsSync(path) ? store.open(path) : undefined;
}

/**
 * First of three steps of a new unit: storage key, then spool, then device key. A kill after any of
 * them is taken up by the next start, because the device key comes last: a device key without a spool
 * means that a history was lost or moved, and a second one must not begin under the same key.
 * @throws UserError KEY_FILE_*, SPOOL_MISSING; OperationalError STORAGE_*
 */
export function openStorageKeys(
  dataDir: string,
  spoolExists: boolean,
  files: KeyFiles,
  random: RandomBytes,
): StorageKeys {
  const folder = keyFolder(dataDir);
  if (!spoolExists && existsSync(join(folder, DEVICE_KEY))) {
    throw new UserError(
      'SPOOL_MISSING',
      `${dataDir} has a device key but no spool: its history is elsewhere, and is not begun twice`,
    );
  }
  const path = join(folder, storageFile(0));
  if (!spoolExists && !existsSync(path)) {
    makeFolder(folder);
    files.create(path, STORAGE_PURPOSE, random(32));
  }
  return storageKeys(dataDir, files, random);
}

/**
 * Last of the three steps.
 * @param hasHistory whether the spool belongs to a log; its device key is then never made anew
 * @throws UserError KEY_FILE_*, DEVICE_KEY_KIND; as `store.create`
 */
export function openDeviceKey(dataDir: string, hasHistory: boolean, store: DeviceKeyStore): Signer {
  const path = join(keyFolder(dataDir), DEVICE_KEY);
  if (!hasHistory && !existsSync(path)) store.create(path);
  return store.open(path);
}
