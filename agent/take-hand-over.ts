/** Whether a unit takes a hand-over. Implements spec/hand-over.md, "On the unit". */
import { equalBytes } from '../core/bytes.ts';
import { isSameEpoch } from '../core/enrolment.ts';
import { UserError } from '../core/errors.ts';
import { decodeHandOver, type HandOver, verifyHandOver } from '../core/hand-over.ts';
import { readEnrolment } from './enrol/kept-enrolment.ts';
import { keepHandOver } from './hand-over/kept-hand-over.ts';

/**
 * The epoch ends with the running session, or with the next start.
 * @throws UserError HAND_OVER_FOREIGN, HAND_OVER_WALLET; FormatError; VerificationError OWNER_SIGNATURE_INVALID;
 *   OperationalError STORAGE_*
 */
export function takeHandOver(dataDir: string, bytes: Uint8Array): HandOver {
  const signed = decodeHandOver(bytes);
  const { handOver } = signed;
  const enrolment = readEnrolment(dataDir)?.enrolment;
  if (enrolment === undefined) {
    throw new UserError('HAND_OVER_FOREIGN', 'this unit has no owner who could hand it over');
  }
  const isOurs =
    isSameEpoch(handOver, enrolment) && equalBytes(handOver.vehicleNumber, enrolment.vehicleNumber);
  if (!isOurs) {
    throw new UserError(
      'HAND_OVER_FOREIGN',
      'the hand-over is of another vehicle, epoch or owner than this unit’s',
    );
  }
  if (verifyHandOver(signed) === 'contract_wallet') {
    const message = 'what the owner’s wallet takes for its signature, only its chain could say';
    throw new UserError('HAND_OVER_WALLET', message);
  }
  keepHandOver(dataDir, bytes);
  return handOver;
}
