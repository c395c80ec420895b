/**
 * What a verification says: the checks in order, the facts that they carry, and what is not proven.
 * Implements spec/verification.md, "Report".
 */
import type { CheckResult } from './check.ts';
import type { Facts } from './facts.ts';
import type { TrustPolicyFile } from './policy-file.ts';

export type Report = {
  /** What the reader must know before anything else: a policy that trusts a local chain. */
  readonly warnings: readonly string[];
  /** What was believed, and who said so. */
  readonly policy: TrustPolicyFile;
  /** No check FAILED, and every required one PASSED. */
  readonly accepted: boolean;
  readonly checks: readonly CheckResult[];
  /** None unless everything that they rest on PASSED and nothing FAILED. */
  readonly facts: Facts | undefined;
  readonly notProven: readonly { readonly code: string; readonly text: string }[];
};
