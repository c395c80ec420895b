/** A unit's data folder: its keys, its spool, and which log it writes. */
import { join } from 'node:path';
import { equalBytes } from '../core/bytes.ts';
import { UserError } from '../core/errors.ts';
import { keyId, type PublicKey } from '../core/signature.ts';
import { TAG_BYTES } from '../core/vehicle-log.ts';
import { openDeviceKey, openStorageKey, readDeviceKey } from './keys.ts';
import type { Machine } from './machine.ts';
import type { Signer, StoredLog } from './ports.ts';
import { spoolExists } from './spool/index-database.ts';
import { Spool } from './spool/spool.ts';

/** An opened unit: its spool, its log and the key that certifies its sessions. */
export type Unit = {
  readonly spool: Spool;
  readonly log: StoredLog;
  readonly deviceSigner: Signer;
};

export function spoolFolder(dataDir: string): string {
  return join(dataDir, 'spool');
}

/** @throws UserError KEY_FILE_*, SPOOL_MISSING, DEVICE_KEY_FOREIGN; OperationalError STORAGE_*, SPOOL_* */
export function openUnit(dataDir: string, machine: Machine): Unit {
  const { primitives, keyFiles, atCommitPoint } = machine;
  const spool = openSpool(dataDir, machine);
  try {
    const known = spool.identity();
    const hasHistory = known !== undefined;
    const secret = openDeviceKey(dataDir, hasHistory, keyFiles, machine.newDeviceSecret);
    atCommitPoint('identity-created');
    const deviceSigner = machine.deviceSigner(secret);
    const deviceKeyId = keyId(deviceSigner.key);
    // Unenrolled: the first epoch, under a tag that nobody can link to the vehicle.
    const fresh = { tag: primitives.random(TAG_BYTES), epoch: 0, log: 0, deviceKeyId };
    const log = known ?? { ...fresh, predecessor: undefined };
    if (!equalBytes(log.deviceKeyId, deviceKeyId)) {
      throw new UserError('DEVICE_KEY_FOREIGN', 'the device key is not the one of this spool');
    }
    return { spool, log, deviceSigner };
  } catch (error) {
    spool.close();
    throw error;
  }
}

/**
 * Makes keys and an empty spool for a unit that has none; a unit that has them may be running.
 * @returns the public device key, for whoever must know it before the first session
 * @throws as `openUnit`
 */
export function makeUnit(dataDir: string, machine: Machine): PublicKey {
  const secret = readDeviceKey(dataDir, machine.keyFiles);
  if (secret !== undefined) return machine.deviceSigner(secret).key;
  const { spool, deviceSigner } = openUnit(dataDir, machine);
  spool.close();
  return deviceSigner.key;
}

function openSpool(dataDir: string, { primitives, keyFiles, atCommitPoint }: Machine): Spool {
  const folder = spoolFolder(dataDir);
  const storageKey = openStorageKey(dataDir, spoolExists(folder), keyFiles, primitives.random);
  return Spool.open(folder, storageKey, primitives, atCommitPoint);
}
