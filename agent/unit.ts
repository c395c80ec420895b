/** A unit's data folder: its keys, its spool, and which log it writes. */
import { join } from 'node:path';
import { equalBytes } from '../core/bytes.ts';
import { UserError } from '../core/errors.ts';
import { keyId, type PublicKey } from '../core/signature.ts';
import { TAG_BYTES } from '../core/vehicle-log.ts';
import { type KeptEnrolment, readEnrolment, readRequest } from './enrol/kept-enrolment.ts';
import { nextEpoch } from './hand-over/ended-epochs.ts';
import { openDeviceKey, openStorageKeys, readDeviceKey, storageKeys } from './keys.ts';
import type { Machine } from './machine.ts';
import { assertNotOfEndedEpoch } from './ownership.ts';
import type { Signer, StoredLog } from './ports.ts';
import { spoolExists } from './spool/index-database.ts';
import { openSpoolForReading, Spool } from './spool/spool.ts';

/** An opened unit: its spool, its log and the key that certifies its sessions. */
export type Unit = {
  readonly spool: Spool;
  readonly log: StoredLog;
  readonly deviceSigner: Signer;
  /** None: what is recorded says so. */
  readonly enrolment: KeptEnrolment | undefined;
};

export function spoolFolder(dataDir: string): string {
  return join(dataDir, 'spool');
}

/**
 * @throws UserError KEY_FILE_*, SPOOL_MISSING, DEVICE_KEY_FOREIGN, DEVICE_KEY_KIND, DEVICE_KEY_ENDED, SIGNER_*;
 * OperationalError STORAGE_*, SPOOL_*, SIGNER_*
 */
export function openUnit(dataDir: string, machine: Machine): Unit {
  const { primitives, deviceKeys, atCommitPoint } = machine;
  const spool = openSpool(dataDir, machine);
  try {
    const known = spool.identity();
    const hasHistory = known !== undefined;
    const deviceSigner = openDeviceKey(dataDir, hasHistory, deviceKeys);
    assertNotOfEndedEpoch(dataDir, deviceSigner.key);
    atCommitPoint('identity-created');
    const deviceKeyId = keyId(deviceSigner.key);
    // A tag that nobody can link to the vehicle: the one that an enrolment was asked for, or a new one.
    const { tag, epoch } = readRequest(dataDir) ?? {
      tag: primitives.random(TAG_BYTES),
      epoch: nextEpoch(dataDir),
    };
    const log = known ?? { tag, epoch, log: 0, deviceKeyId, predecessor: undefined };
    if (!equalBytes(log.deviceKeyId, deviceKeyId)) {
      throw new UserError('DEVICE_KEY_FOREIGN', 'the device key is not the one of this spool');
    }
    const enrolment = enrolmentOf(dataDir, log);
    if (enrolment !== undefined) {
      const { recoveryKey } = enrolment.enrolment;
      spool.sealRootsTo((info, plain) => machine.hpkeSeal(recoveryKey, info, plain));
      // Before a session says that the owner has the roots: what was recorded before the enrolment has some already.
      spool.sealMissingRoots();
    }
    return { spool, log, deviceSigner, enrolment };
  } catch (error) {
    spool.close();
    throw error;
  }
}

/** @throws UserError ENROLMENT_FOREIGN: a file that came from another unit must not speak for this one */
function enrolmentOf(dataDir: string, log: StoredLog): KeptEnrolment | undefined {
  const kept = readEnrolment(dataDir);
  if (kept === undefined) return undefined;
  const { tag, epoch, deviceKey } = kept.enrolment;
  const isOurs =
    equalBytes(tag, log.tag) &&
    epoch === log.epoch &&
    equalBytes(keyId(deviceKey), log.deviceKeyId);
  if (isOurs) return kept;
  throw new UserError('ENROLMENT_FOREIGN', 'the enrolment in the data folder is of another unit');
}

/** Of the newest log, beside a running agent too; none before the first session. */
export function knownIdentity(dataDir: string, machine: Machine): StoredLog | undefined {
  const folder = spoolFolder(dataDir);
  if (!spoolExists(folder)) return undefined;
  const keys = storageKeys(dataDir, machine.keyFiles, machine.primitives.random);
  using spool = openSpoolForReading(folder, keys, machine.primitives);
  return spool.identity();
}

/**
 * Makes keys and an empty spool for a unit that has none; a unit that has them may be running.
 * @returns the public device key, for whoever must know it before the first session
 * @throws as `openUnit`
 */
export function makeUnit(dataDir: string, machine: Machine): PublicKey {
  const known = readDeviceKey(dataDir, machine.deviceKeys);
  if (known !== undefined) return known.key;
  const { spool, deviceSigner } = openUnit(dataDir, machine);
  spool.close();
  return deviceSigner.key;
}

function openSpool(dataDir: string, { primitives, keyFiles, atCommitPoint }: Machine): Spool {
  const folder = spoolFolder(dataDir);
  const keys = openStorageKeys(dataDir, spoolExists(folder), keyFiles, primitives.random);
  return Spool.open(folder, keys, primitives, atCommitPoint);
}
