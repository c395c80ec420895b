/** Whether somebody owns what a unit would record. */
import { equalBytes } from '../core/bytes.ts';
import { UserError } from '../core/errors.ts';
import type { HandOver } from '../core/hand-over.ts';
import type { PublicKey } from '../core/signature.ts';
import { readEnrolment } from './enrol/kept-enrolment.ts';
import { endedEpochs, endedFolder } from './hand-over/ended-epochs.ts';
import { readHandOver } from './hand-over/kept-hand-over.ts';

/** That ended the newest epoch; undefined on a unit that was never handed over. @throws OperationalError STORAGE_* */
export function lastHandOver(dataDir: string): HandOver | undefined {
  const epoch = endedEpochs(dataDir).at(-1);
  return epoch === undefined ? undefined : readHandOver(endedFolder(dataDir, epoch));
}

/** Handed over, and nobody has enrolled the unit since: whose data it would be is not known. */
export function isBetweenOwners(dataDir: string): boolean {
  return endedEpochs(dataDir).length > 0 && readEnrolment(dataDir) === undefined;
}

/**
 * A key that signed for one owner signs for no other, or whoever sees both epochs could tell that they are of one vehicle. Only
 * something outside can bring one back, such as a token that was restored.
 * @throws UserError DEVICE_KEY_ENDED; OperationalError STORAGE_*
 */
export function assertNotOfEndedEpoch(dataDir: string, { bytes }: PublicKey): void {
  for (const epoch of endedEpochs(dataDir)) {
    const ended = readEnrolment(endedFolder(dataDir, epoch))?.enrolment.deviceKey;
    if (ended === undefined || !equalBytes(ended.bytes, bytes)) continue;
    throw new UserError(
      'DEVICE_KEY_ENDED',
      `the device key is that of epoch ${epoch}, which has ended: remove it from where it is kept, and keys/device.key`,
    );
  }
}
