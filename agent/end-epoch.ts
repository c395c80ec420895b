/**
 * Ends an epoch that its owner has handed over: the keys of the unit are destroyed, and what is left moves aside.
 * Implements spec/hand-over.md, "On the unit", steps 2 and 3; ARCHITECTURE.md, "Crash table".
 */
import { existsSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../core/errors.ts';
import { makeFolder, syncFolder } from './folder.ts';
import { endedFolder, UNFINISHED, unfinishedEnd } from './hand-over/ended-epochs.ts';
import { handOverPath, readHandOver } from './hand-over/kept-hand-over.ts';
import { hasDeviceKey, keyFolder } from './keys.ts';
import type { Machine } from './machine.ts';
import { dropSecrets } from './spool/drop-secrets.ts';
import { storageError } from './storage-error.ts';

/** The hand-over is last: as long as it lies in the data folder, there is something left to move. */
const MOVED = ['spool', 'enrolment', 'custody', 'grants', 'requests', 'packages', 'hand-over.wmh'];

/**
 * Whether the last steps were begun and a kill left the rest.
 * A unit with a hand-over and its device key is not that far: its last session is to be closed in order.
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
 * The device key goes first: without it no session can begin, so that a kill behind it finds a unit that can only go on
 * here. Then the rows of names and key nodes, then the keys that opened them: whichever of the two is left by a kill, the other
 * goes at the next start. The folders move into one that has no number yet, and its name is the last step: a number
 * means that everything is there and that no key is left.
 * @throws UserError SPOOL_IN_USE, HAND_OVER_EPOCH; OperationalError STORAGE_*, KEY_FILE_DESTROY
 */
export function endEpoch(dataDir: string, machine: Machine): void {
  const { keyFiles, atCommitPoint } = machine;
  const begun = unfinishedEnd(dataDir);
  const epoch = begun ?? readHandOver(dataDir)?.epoch;
  if (epoch === undefined) return;
  if (existsSync(endedFolder(dataDir, epoch))) {
    throw new UserError('HAND_OVER_EPOCH', `epoch ${epoch} of this unit has ended already`);
  }
  const spoolFolder = join(dataDir, 'spool');
  if (existsSync(spoolFolder)) {
    for (const file of keysOf(dataDir, true)) keyFiles.destroy(file);
    atCommitPoint('device-key-destroyed');
    dropSecrets(spoolFolder);
  }
  for (const file of keysOf(dataDir, false)) keyFiles.destroy(file);
  atCommitPoint('epoch-keys-destroyed');
  const unfinished = `${endedFolder(dataDir, epoch)}${UNFINISHED}`;
  makeFolder(unfinished);
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

/** Paths of what lies in the folder of keys: of the device key, or of all others. */
function keysOf(dataDir: string, ofDevice: boolean): readonly string[] {
  const folder = keyFolder(dataDir);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.startsWith('device.') === ofDevice)
    .map((name) => join(folder, name));
}
