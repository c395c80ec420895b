/**
 * Which owner took which device key, each enrolment with both of its signatures and the VIN where it is shown.
 * Implements spec/verification.md, "ENROLMENT".
 */
import type { EnrolmentItem } from '../core/bundle-items.ts';
import { type VerifiedEnrolment, verifyEnrolment, verifyVinCommitment } from '../core/enrolment.ts';
import type { VerifyDigest } from '../core/signature.ts';
import { attempt, type Problem } from './readings.ts';

export type EnrolmentReading = {
  /** None with a problem. */
  readonly verified: VerifiedEnrolment | undefined;
  /** That opens the commitment; none while the owner does not show it. */
  readonly vin: string | undefined;
  readonly problem: Problem | undefined;
};

export function readEnrolments(
  items: readonly EnrolmentItem[],
  verify: VerifyDigest,
): readonly EnrolmentReading[] {
  return items.map((item) => {
    const result = attempt(() => verified(item, verify));
    if ('problem' in result) {
      return { verified: undefined, vin: undefined, problem: result.problem };
    }
    return { verified: result.value, vin: item.vin?.vin, problem: undefined };
  });
}

/** @throws FormatError and VerificationError of verifyEnrolment; VerificationError VIN_COMMITMENT */
function verified({ enrolment, vin }: EnrolmentItem, verify: VerifyDigest): VerifiedEnrolment {
  const reading = verifyEnrolment(enrolment, verify);
  if (vin !== undefined) {
    verifyVinCommitment(reading.enrolment.vinCommitment, vin.salt, vin.vin);
  }
  return reading;
}
