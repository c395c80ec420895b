/** TIMESTAMP: every window is covered by a token of an authority that the policy names (spec/verification.md, "TIMESTAMP"). */
import { equalBytes, toHex } from '../../core/bytes.ts';
import { failed, indeterminate, type Outcome, passed, type Values } from '../check.ts';
import type { Context } from '../context.ts';
import { counted, utc, utcMillis } from '../sentence.ts';
import type { StampReading } from '../stamps.ts';

/** These say that nothing is known, and nothing against the token. */
const UNKNOWN: Readonly<Record<string, string>> = {
  AUTHORITY_UNKNOWN: 'authority_not_in_policy',
  STAMP_POLICY_UNKNOWN: 'stamp_policy_not_in_policy',
  REVOCATION_UNKNOWN: 'revocation_unknown',
  ALGORITHM_UNSUPPORTED: 'algorithm_unsupported',
  EXTENSION_UNSUPPORTED: 'extension_unsupported',
  SIGNATURE_BUDGET: 'signature_budget',
};

export function checkTimestamp({ evidence, anchoring, stamps }: Context): Outcome {
  if (stamps.length === 0) {
    return indeterminate('absent', 'no time stamp token in the bundle');
  }
  const values: Values = { stamps: stamps.map(listed) };
  for (const [i, { problem, windows }] of stamps.entries()) {
    if (problem !== undefined && UNKNOWN[problem.code] === undefined) {
      return failed(problem.code, `time stamp ${i + 1}: ${problem.message}`, values);
    }
    if (windows.length === 0) {
      const sentence = `time stamp ${i + 1} covers no window of the bundle`;
      return failed('STAMP_UNUSED', sentence, values);
    }
    const tokens = evidence.stamps.slice(0, i).map(({ token }) => token);
    const own = evidence.stamps[i]?.token;
    if (own !== undefined && tokens.some((token) => equalBytes(token, own))) {
      return failed('STAMP_TWICE', `time stamp ${i + 1} has the token of another`, values);
    }
  }
  for (const [i, { problem }] of stamps.entries()) {
    const reason = problem && UNKNOWN[problem.code];
    if (problem !== undefined && reason !== undefined) {
      return indeterminate(reason, `time stamp ${i + 1}: ${problem.message}`, values);
    }
  }
  const covered = new Set(stamps.flatMap(({ windows }) => windows));
  const pending = anchoring.windows.length - covered.size;
  if (pending > 0) {
    const sentence = `${counted(pending, 'window')} of ${anchoring.windows.length} under no time stamp yet`;
    return indeterminate('pending', sentence, values);
  }
  const latest = latestOf(stamps);
  return passed(
    `${counted(covered.size, 'window')} under ${counted(stamps.length, 'time stamp')}, the latest for ${utc(latest)}${exactPart(stamps)}`,
    values,
  );
}

/** An authority that states no accuracy vouches for none: its time is taken as it is, and the reader is told. */
function exactPart(stamps: readonly StampReading[]): string {
  const silent = stamps.filter(
    ({ verified }) => verified !== undefined && verified.info.accuracy === undefined,
  ).length;
  if (silent === 0) return '';
  const which = silent === stamps.length && silent === 1 ? 'it' : counted(silent, 'time stamp');
  return silent === 1
    ? `; ${which} states no accuracy and counts as exact`
    : `; ${which} state no accuracy and count as exact`;
}

function latestOf(stamps: readonly StampReading[]): bigint {
  let latest = 0n;
  for (const { verified } of stamps) {
    if (verified !== undefined && verified.notAfterSeconds > latest) {
      latest = verified.notAfterSeconds;
    }
  }
  return latest;
}

function listed({ windows, verified }: StampReading) {
  if (verified === undefined) return { windows: windows.length, token: null };
  const { info, notAfterSeconds, signer } = verified;
  return {
    windows: windows.length,
    token: {
      genTime: utcMillis(info.genTime),
      accuracyNs: info.accuracy === undefined ? null : `${info.accuracy}`,
      notAfter: `${notAfterSeconds}`,
      policy: info.policy,
      serial: `${info.serial}`,
      signerSerial: toHex(signer.serial),
    },
  };
}
