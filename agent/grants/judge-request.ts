/**
 * Whether a unit answers a request: who asks, who granted it, for which vehicle, and whether the grant still stands.
 * Implements spec/grant-request.md, "What a unit checks". Pure: what the unit knows comes in.
 */
import { equalBytes } from '../../core/bytes.ts';
import { VerificationError } from '../../core/errors.ts';
import { grantHash, verifyGrant } from '../../core/grant.ts';
import {
  decodeGrantRequest,
  type ReadRequest,
  verifyRequestSignature,
} from '../../core/grant-request.ts';
import { CLOCK_TOLERANCE_S } from './clock-tolerance.ts';
import type { UnitView } from './ports.ts';
import { assertStands } from './state-of-grant.ts';

export type JudgedRequest = ReadRequest & {
  readonly grantHash: Uint8Array;
};

/**
 * @throws FormatError of decodeGrantRequest; HPKE_KEY
 * @throws VerificationError REQUEST_SIGNATURE, OWNER_SIGNATURE_INVALID, GRANT_CONTRACT_WALLET, GRANT_UNENROLLED, GRANT_OWNER,
 *   GRANT_VEHICLE, GRANT_EPOCH, GRANT_CHAIN, FORM_UNSUPPORTED, GRANT_NOT_YET, GRANT_EXPIRED, GRANT_REVOKED,
 *   REQUEST_REPEATED, REVOCATION_STATE_STALE, and those of the proofs
 */
export function judgeRequest(bytes: Uint8Array, unit: UnitView): JudgedRequest {
  const read = decodeGrantRequest(bytes);
  verifyRequestSignature(read);
  if (verifyGrant(read.grant) === 'contract_wallet') {
    throw new VerificationError(
      'GRANT_CONTRACT_WALLET',
      'the owner’s wallet is a contract: what it takes for its signature, a unit cannot ask it',
    );
  }
  const { grant } = read.grant;
  assertOfThisUnit(grant, unit);
  unit.assertSealingKey(grant.granteeKey);
  if (grant.form !== 'raw') {
    throw new VerificationError(
      'FORM_UNSUPPORTED',
      `this unit releases raw streams, not ${grant.form}`,
    );
  }
  if (unit.nowS < grant.issuedAtS - CLOCK_TOLERANCE_S) {
    throw new VerificationError(
      'GRANT_NOT_YET',
      'the grant was issued after now, by the unit’s clock',
    );
  }
  if (unit.nowS >= grant.expiresAtS) {
    throw new VerificationError('GRANT_EXPIRED', 'the grant has expired, by the unit’s clock');
  }
  const hash = grantHash(grant);
  if (unit.isRevoked(hash)) {
    throw new VerificationError('GRANT_REVOKED', 'its owner has told this unit that it is revoked');
  }
  if (unit.isAnswered(hash, read.request.nonce)) {
    throw new VerificationError(
      'REQUEST_REPEATED',
      'this request was answered before: ask with a new one',
    );
  }
  assertStands(read, hash, unit);
  return { ...read, grantHash: hash };
}

function assertOfThisUnit(
  grant: ReadRequest['grant']['grant'],
  { enrolment, tag, epoch, grantRegistry }: UnitView,
): void {
  if (enrolment === undefined) {
    throw new VerificationError('GRANT_UNENROLLED', 'no owner has enrolled this unit');
  }
  if (!equalBytes(grant.owner, enrolment.owner)) {
    throw new VerificationError('GRANT_OWNER', 'whoever signed the grant did not enrol this unit');
  }
  if (!equalBytes(grant.tag, tag)) {
    throw new VerificationError('GRANT_VEHICLE', 'the grant is for another vehicle');
  }
  if (grant.epoch !== epoch) {
    throw new VerificationError(
      'GRANT_EPOCH',
      `the grant is for epoch ${grant.epoch}, this is ${epoch}`,
    );
  }
  if (grant.chainId !== enrolment.chainId || !equalBytes(grant.contract, grantRegistry)) {
    throw new VerificationError(
      'GRANT_CHAIN',
      'the grant would be revoked in another registry than the one that this unit asks proofs of',
    );
  }
}
