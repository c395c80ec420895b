/**
 * Ends an epoch that its owner has handed over: the keys of the unit are destroyed, and what is left moves aside.
 * Implements spec/hand-over.md, "On the unit", steps 2 and 3; ARCHITECTURE.md, "Crash table".
 */
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../core/errors.ts';
import { makeFolder, syncFolder } from './folder.ts';
import { endedFolder, UNFINISHED, unfinishedEnd } from './hand-over/ended-epochs.ts';
import { handOverPath, readHandOver } from './hand-over/kept-hand-over.ts';
import { destroyDeviceKey, destroyRemainingKeys, hasDeviceKey } from './keys.ts';
import type { Machine } from './machine.ts';
import { dropSecrets } from './spool/drop-secrets.ts';
import { storageError } from './storage-error.ts';

/** The hand-over is last: as long as it lies in the data folder, there is something left to move. */
const MOVED = [
  'spool',
  'enrolment',
  'custody',
  'grants',
  'requests',
  'packages',
  'erasure',
  'hand-over.wmh',
];

/**
 * Whether the last steps were begun and a kill left the rest.
 * A unit with a hand-over and its device key is not that far: its last session is to be closed in order. Without that key, whoever
 * took it, none can be.
 */
function isBegun(dataDir: string): boolean {
  if (unfinishedEnd(dataDir) !== undefined) return true;
  return existsSync(handOverPath(dataDir)) && !hasDeviceKey(dataDir);
}

/** At every start, before anything else opens the unit. @throws as `endEpoch` */
export function finishEnd(dataDir: string, machine: Machine): void {
  if (isBegun(dataDir)) endEpoch(dataDir, machine);
}

/**
 * Once the last session is closed; may be repeated from wherever a kill left it.
 *
 * The folder that everything will move into comes first: while it is there without its name, every start comes here before it reads
 * a key. So it does not matter in which state a kill or a power cut leaves a key that is being destroyed: whole, half written
 * over, empty or gone. Then the device key, without which no session can begin, then the rows of names and key nodes, then the keys that
 * opened them: whichever of the two is left by a kill, the other goes at the next start. The folder gets its name last: a number means
 * that everything is there and that no key is left, neither here nor in a token.
 * @throws UserError SPOOL_IN_USE, HAND_OVER_EPOCH, DEVICE_KEY_KIND, SIGNER_PIN; OperationalError STORAGE_*, KEY_FILE_DESTROY, SIGNER_*
 */
export function endEpoch(dataDir: string, machine: Machine): void {
  const { keyFiles, deviceKeys, atCommitPoint } = machine;
  const begun = unfinishedEnd(dataDir);
  const epoch = begun ?? readHandOver(dataDir)?.epoch;
  if (epoch === undefined) return;
  if (existsSync(endedFolder(dataDir, epoch))) {
    throw new UserError('HAND_OVER_EPOCH', `epoch ${epoch} of this unit has ended already`);
  }
  const unfinished = `${endedFolder(dataDir, epoch)}${UNFINISHED}`;
  decide(dataDir, unfinished);
  atCommitPoint('epoch-ending');
  destroyDeviceKey(dataDir, deviceKeys, keyFiles);
  atCommitPoint('device-key-destroyed');
  const spoolFolder = join(dataDir, 'spool');
  if (existsSync(spoolFolder)) dropSecrets(spoolFolder);
  destroyRemainingKeys(dataDir, keyFiles);
  atCommitPoint('epoch-keys-destroyed');
  try {
    for (const name of MOVED) {
      const from = join(dataDir, name);
      if (existsSync(from)) renameSync(from, join(unfinished, name));
    }
    syncFolder(unfinished);
    syncFolder(dataDir);
    atCommitPoint('epoch-moved');
    renameSync(unfinished, endedFolder(dataDir, epoch));
    syncFolder(join(unfinished, '..'));
  } catch (cause) {
    throw storageError(cause);
  }
  atCommitPoint('epoch-ended');
}

/** Durable when it returns, also where a kill had left the folder and not made sure of it. @throws OperationalError STORAGE_* */
function decide(dataDir: string, unfinished: string): void {
  makeFolder(unfinished);
  try {
    syncFolder(join(unfinished, '..'));
    syncFolder(dataDir);
  } catch (cause) {
    throw storageError(cause);
  }
}
