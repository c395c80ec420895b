/** What the checks look at: the decoded bundle, the policy, and what was read from both, computed once. */

import type { Hash } from '../core/hash.ts';
import type { VerifyDigest } from '../core/signature.ts';
import { type AcceptanceReading, readAcceptances } from './acceptances.ts';
import { type Anchoring, readAnchoring } from './anchoring.ts';
import { type Bounds, readBounds } from './bounds.ts';
import { type CustodyReading, readCustody } from './custody.ts';
import { type EnrolmentReading, readEnrolments, trustedDevices } from './enrolments.ts';
import type { Evidence } from './evidence.ts';
import { type GrantReading, readGrants } from './grants.ts';
import { type InclusionReading, readInclusions } from './inclusions.ts';
import type { TrustPolicy } from './policy.ts';
import { type Readings, readOpenedChunks } from './readings.ts';
import { type RegistryReading, readRegistry } from './registry.ts';
import { readStamps, type StampReading } from './stamps.ts';
import { readTrail, type Trail } from './trail.ts';
import type { TrustedDevice } from './trusted-devices.ts';

export type Context = {
  readonly evidence: Evidence;
  readonly policy: TrustPolicy;
  readonly verifyDigest: VerifyDigest;
  readonly hash: Hash;
  readonly trail: Trail;
  readonly readings: Readings;
  readonly anchoring: Anchoring;
  readonly inclusions: readonly InclusionReading[];
  readonly stamps: readonly StampReading[];
  readonly acceptances: readonly AcceptanceReading[];
  readonly enrolments: readonly EnrolmentReading[];
  readonly devices: readonly TrustedDevice[];
  readonly registry: readonly RegistryReading[];
  readonly custody: CustodyReading;
  readonly grants: readonly GrantReading[];
  readonly bounds: Bounds;
};

export function readContext(
  evidence: Evidence,
  policy: TrustPolicy,
  verifyDigest: VerifyDigest,
  hash: Hash,
): Context {
  const enrolments = readEnrolments(evidence.enrolments, verifyDigest);
  const devices = trustedDevices(policy, enrolments);
  const trail = readTrail(evidence, devices, hash);
  const anchoring = readAnchoring(evidence, policy, hash);
  const inclusions = readInclusions(evidence.inclusions, trail.statements, anchoring.windows, hash);
  const readings = readOpenedChunks(evidence, trail, verifyDigest, hash);
  const stamps = readStamps(evidence.stamps, anchoring.windows, policy, hash);
  return {
    ...{ evidence, policy, verifyDigest, hash, trail, anchoring, inclusions, stamps },
    acceptances: readAcceptances(evidence.acceptances, trail.statements, policy, verifyDigest),
    enrolments,
    devices,
    grants: readGrants(evidence.grants, policy),
    registry: readRegistry(evidence.registry, anchoring, policy),
    readings,
    custody: readCustody(
      evidence.custody,
      readings,
      devices.map(({ key }) => key),
      verifyDigest,
    ),
    bounds: readBounds(trail.headers, inclusions, anchoring, stamps),
  };
}
