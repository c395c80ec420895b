/** Whether a unit takes a hand-over. Implements spec/hand-over.md, "On the unit". */
import { equalBytes, toHex } from '../core/bytes.ts';
import type { CustodyContent } from '../core/custody-record.ts';
import { isSameEpoch } from '../core/enrolment.ts';
import { UserError } from '../core/errors.ts';
import { decodeHandOver, type HandOver, verifyHandOver } from '../core/hand-over.ts';
import { sha256 } from '../core/hash.ts';
import { type KeptEnrolment, readEnrolment } from './enrol/kept-enrolment.ts';
import type { Teller } from './grants/custody-contents.ts';
import type { LeaveCustody } from './grants/ports.ts';
import { isKept, keepHandOver } from './hand-over/kept-hand-over.ts';

/** Who tells the custody stream of it, and where. */
export type HandOverTold = {
  /** Asked only when the hand-over is to be taken. */
  teller(enrolment: KeptEnrolment): Teller;
  readonly leaveCustody: LeaveCustody;
};

/**
 * The epoch ends with the running session, or with the next start.
 * @throws UserError HAND_OVER_FOREIGN, HAND_OVER_WALLET; FormatError; VerificationError OWNER_SIGNATURE_INVALID;
 *   OperationalError STORAGE_*
 */
export function takeHandOver(dataDir: string, bytes: Uint8Array, told: HandOverTold): HandOver {
  const signed = decodeHandOver(bytes);
  const { handOver } = signed;
  const kept = readEnrolment(dataDir);
  if (kept === undefined) {
    throw new UserError('HAND_OVER_FOREIGN', 'this unit has no owner who could hand it over');
  }
  const { enrolment } = kept;
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
  if (isKept(dataDir, bytes)) return handOver;
  // The record first: a running agent ends its session as soon as it sees the hand-over. A kill in between leaves a record of what was
  // not taken yet, and the same command again leaves another.
  told.leaveCustody(transferredContent(told.teller(kept), handOver, sha256(bytes)));
  keepHandOver(dataDir, bytes);
  return handOver;
}

/** Last in the custody stream of the epoch that ends. */
function transferredContent(
  teller: Teller,
  { epoch, newOwner }: HandOver,
  objectHash: Uint8Array,
): CustodyContent {
  return {
    ...teller,
    role: 'agent',
    action: 'transferred',
    grantHash: undefined,
    objectHash,
    spans: [],
    streamCount: 0,
    leafCount: 0,
    purpose: '',
    detail: `epoch ${epoch} ends, the next is of 0x${toHex(newOwner)}`,
    signature: undefined,
  };
}
