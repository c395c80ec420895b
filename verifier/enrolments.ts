/**
 * Which owner took which device key, each enrolment with both of its signatures and the VIN where it is shown.
 * Implements spec/verification.md, "ENROLMENT".
 */
import type { EnrolmentItem } from '../core/bundle-items.ts';
import { equalBytes } from '../core/bytes.ts';
import {
  type Enrolment,
  enrolmentDigest,
  type VerifiedEnrolment,
  verifyEnrolment,
  verifyVinCommitment,
} from '../core/enrolment.ts';
import type { VerifyDigest } from '../core/signature.ts';
import { walletAccepts } from './grants.ts';
import type { TrustPolicy } from './policy.ts';
import { attempt, type Problem } from './readings.ts';
import type { TrustedDevice } from './trusted-devices.ts';

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

/** By a key, or by a contract that whoever wrote the policy has asked. */
export function isByOwner({ enrolment, owner }: VerifiedEnrolment, policy: TrustPolicy): boolean {
  if (owner === 'verified') return true;
  const { chainId, owner: address } = enrolment;
  return walletAccepts(policy, chainId, address, enrolmentDigest(enrolment));
}

/** Those that the policy names, and those that an owner whom it names has enrolled (spec/trust-policy.md, "Format"). */
export function trustedDevices(
  policy: TrustPolicy,
  enrolments: readonly EnrolmentReading[],
): readonly TrustedDevice[] {
  const named = policy.deviceKeys.map((key) => ({ key, enrolment: undefined }));
  const enrolled = enrolments.flatMap(({ verified }) => {
    if (verified === undefined || !isByOwner(verified, policy)) return [];
    const { enrolment } = verified;
    return isNamed(enrolment, policy) ? [{ key: enrolment.deviceKey, enrolment }] : [];
  });
  return [...named, ...enrolled];
}

function isNamed({ chainId, owner }: Enrolment, { owners }: TrustPolicy): boolean {
  return owners.some((one) => one.chainId === chainId && equalBytes(one.address, owner));
}
