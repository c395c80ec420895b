/** Whether somebody owns what a unit would record. */
import type { HandOver } from '../core/hand-over.ts';
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
