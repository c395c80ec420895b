/**
 * Verifies an evidence bundle against a trust policy, offline: the ordered list of checks.
 * Implements spec/verification.md.
 */
import { FormatError } from '../core/errors.ts';
import { type Hash, sha256 } from '../core/hash.ts';
import { verifyDigest as nobleVerifyDigest, type VerifyDigest } from '../core/signature.ts';
import {
  CHECK_CODES,
  type CheckCode,
  type CheckResult,
  failed,
  indeterminate,
  type Outcome,
} from './check.ts';
import { checkAcceptance } from './checks/acceptance.ts';
import { checkAnchor } from './checks/anchor.ts';
import { checkBlock } from './checks/block.ts';
import { checkBundle } from './checks/bundle.ts';
import { checkCapture } from './checks/capture.ts';
import { checkCovered } from './checks/covered.ts';
import { checkCustody } from './checks/custody.ts';
import { checkDevice } from './checks/device.ts';
import { checkEnrolment } from './checks/enrolment.ts';
import { checkFork } from './checks/fork.ts';
import { checkGaps } from './checks/gaps.ts';
import { checkGrant } from './checks/grant.ts';
import { checkHeaderChain } from './checks/header-chain.ts';
import { checkHeaderSignature } from './checks/header-signature.ts';
import { checkLeaves } from './checks/leaves.ts';
import { checkLink } from './checks/link.ts';
import { checkLoss } from './checks/loss.ts';
import { checkNotAfter } from './checks/not-after.ts';
import { checkNotBefore } from './checks/not-before.ts';
import { checkOrder } from './checks/order.ts';
import { checkPromise } from './checks/promise.ts';
import { checkRegistry } from './checks/registry.ts';
import { checkSession } from './checks/session.ts';
import { checkStatement } from './checks/statement.ts';
import { checkStreams } from './checks/streams.ts';
import { checkTail } from './checks/tail.ts';
import { checkTimestamp } from './checks/time-stamp.ts';
import { checkWindow } from './checks/window.ts';
import { type Context, readContext } from './context.ts';
import { type Evidence, readEvidence } from './evidence.ts';
import { factsOf } from './facts.ts';
import { NOT_PROVEN } from './not-proven.ts';
import type { TrustPolicy } from './policy.ts';
import type { Report } from './report.ts';

export type Check = (context: Context) => Outcome;
export type Checks = Readonly<Record<CheckCode, Check>>;

/** In the order of every report. */
const CHECKS: Checks = {
  BUNDLE: checkBundle,
  DEVICE: checkDevice,
  SESSION: checkSession,
  STATEMENT: checkStatement,
  HEADER_SIGNATURE: checkHeaderSignature,
  HEADER_CHAIN: checkHeaderChain,
  COVERED: checkCovered,
  LEAVES: checkLeaves,
  STREAMS: checkStreams,
  ORDER: checkOrder,
  LOSS: checkLoss,
  GAPS: checkGaps,
  CAPTURE: checkCapture,
  TAIL: checkTail,
  FORK: checkFork,
  PROMISE: checkPromise,
  ACCEPTANCE: checkAcceptance,
  WINDOW: checkWindow,
  ANCHOR: checkAnchor,
  LINK: checkLink,
  BLOCK: checkBlock,
  TIMESTAMP: checkTimestamp,
  NOT_AFTER: checkNotAfter,
  NOT_BEFORE: checkNotBefore,
  ENROLMENT: checkEnrolment,
  REGISTRY: checkRegistry,
  GRANT: checkGrant,
  CUSTODY: checkCustody,
};

export type VerifyOptions = {
  /** Faster implementations of what `core/` has; results must not differ. */
  readonly verifyDigest?: VerifyDigest;
  readonly hash?: Hash;
  /** Other checks in place of these: for tests that show that each one is needed. */
  readonly checks?: Partial<Checks>;
  /** Before each of `STEPS`, in order: for whoever shows progress. */
  readonly onStep?: (step: Step) => void;
};

/** What takes time, in order. */
export const STEPS = ['DECODE', 'RELATE', ...CHECK_CODES] as const;
export type Step = (typeof STEPS)[number];

/** Never throws for what a bundle contains. */
export function verifyEvidence(
  bundle: Uint8Array,
  policy: TrustPolicy,
  options: VerifyOptions = {},
): Report {
  const hash = options.hash ?? sha256;
  const checks: Checks = { ...CHECKS, ...options.checks };
  const onStep = options.onStep ?? (() => undefined);
  onStep('DECODE');
  const evidence = read(bundle, hash);
  if (evidence instanceof FormatError) return unreadable(evidence, policy);
  onStep('RELATE');
  const context = readContext(evidence, policy, options.verifyDigest ?? nobleVerifyDigest, hash);
  const results = CHECK_CODES.map((code) => {
    onStep(code);
    return placed(code, checks[code](context), policy);
  });
  return report(policy, results, factsOf(context, results));
}

function read(bundle: Uint8Array, hash: Hash): Evidence | FormatError {
  try {
    return readEvidence(bundle, hash);
  } catch (error) {
    if (error instanceof FormatError) return error;
    throw error;
  }
}

/** Nothing else can be said of bytes that are no bundle. */
function unreadable(error: FormatError, policy: TrustPolicy): Report {
  const results = CHECK_CODES.map((code) =>
    placed(
      code,
      code === 'BUNDLE'
        ? failed(error.code, `no well-formed bundle: ${error.message}`)
        : indeterminate('not_reached', 'the bundle cannot be read'),
      policy,
    ),
  );
  return report(policy, results, undefined);
}

function placed(code: CheckCode, outcome: Outcome, policy: TrustPolicy): CheckResult {
  return {
    code,
    ...outcome,
    required: policy.required.includes(code),
    spec: `spec/verification.md, "${code}"`,
  };
}

function report(
  policy: TrustPolicy,
  checks: readonly CheckResult[],
  facts: Report['facts'],
): Report {
  const accepted = checks.every(
    ({ verdict, required }) => verdict === 'PASSED' || (verdict === 'INDETERMINATE' && !required),
  );
  return {
    warnings: warningsOf(policy),
    policy: policy.file,
    accepted,
    checks,
    facts,
    notProven: NOT_PROVEN,
  };
}

function warningsOf({ chains, timestampAuthorities }: TrustPolicy): readonly string[] {
  const local = chains.filter((chain) => chain.class === 'local');
  return [
    ...local.map(
      ({ chainId }) =>
        `chain ${chainId} is local: whoever runs it can write its whole history anew, so this proves nothing to a third party`,
    ),
    ...(timestampAuthorities.some((authority) => authority.class === 'local')
      ? [
          'a time stamp authority is local: whoever runs it can stamp any time, so its stamps prove nothing to a third party',
        ]
      : []),
  ];
}
