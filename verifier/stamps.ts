/**
 * What each time stamp proves, and which windows of the bundle it covers.
 * Implements spec/verification.md, "TIMESTAMP".
 */
import { toHex } from '../core/bytes.ts';
import type { Hash } from '../core/hash.ts';
import { coveredRecordHashes, type TimeStamp } from '../core/time-stamp.ts';
import { type VerifiedToken, verifyToken } from '../core/tsp/verify-token.ts';
import { SignatureChecks } from '../core/x509/public-key.ts';
import type { WindowReading } from './anchoring.ts';
import type { TrustPolicy } from './policy.ts';
import { attempt, type Problem } from './readings.ts';

export type StampReading = {
  /** Positions of windows of the bundle, also where the token does not hold. */
  readonly windows: readonly number[];
  readonly verified: VerifiedToken | undefined;
  readonly problem: Problem | undefined;
};

/** Of all stamps together: about a month of hourly ones. */
const MAX_SIGNATURES = 4096;

export function readStamps(
  stamps: readonly TimeStamp[],
  windows: readonly WindowReading[],
  policy: TrustPolicy,
  hash: Hash,
): readonly StampReading[] {
  const checks = new SignatureChecks(MAX_SIGNATURES);
  const byHash = new Map(windows.map((window, i) => [toHex(window.hash), i]));
  return stamps.map((stamp) => {
    const covered = attempt(() => coveredRecordHashes(stamp, hash));
    if ('problem' in covered) {
      return { windows: [], verified: undefined, problem: covered.problem };
    }
    const shown = covered.value.flatMap((one) => byHash.get(toHex(one)) ?? []);
    const imprint = covered.value.at(-1) ?? new Uint8Array(0);
    const result = attempt(() => verifyToken(stamp, imprint, policy.timestampAuthorities, checks));
    return 'problem' in result
      ? { windows: shown, verified: undefined, problem: result.problem }
      : { windows: shown, verified: result.value, problem: undefined };
  });
}
