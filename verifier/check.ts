/**
 * The checks by code, in the order of every report, and what one of them can say.
 * Implements spec/verification.md, "Verdicts".
 */

export type Verdict = 'PASSED' | 'INDETERMINATE' | 'FAILED';

/** The order of every report. */
export const CHECK_CODES = [
  'BUNDLE',
  'DEVICE',
  'SESSION',
  'STATEMENT',
  'HEADER_SIGNATURE',
  'HEADER_CHAIN',
  'COVERED',
  'LEAVES',
  'STREAMS',
  'ORDER',
  'LOSS',
  'GAPS',
  'CAPTURE',
  'TAIL',
  'FORK',
  'PROMISE',
  'ACCEPTANCE',
  'WINDOW',
  'ANCHOR',
  'LINK',
  'BLOCK',
  'TIMESTAMP',
  'NOT_AFTER',
  'NOT_BEFORE',
  'ENROLMENT',
  'REGISTRY',
  'GRANT',
  'CUSTODY',
] as const;

export type CheckCode = (typeof CHECK_CODES)[number];

/** What JSON can hold; integers that may pass 2^53 are decimal text, bytes are lower-case hexadecimal. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json };
/** A list among the values has at most so many rows: a bundle must not make a report of any size. */
const MAX_ROWS = 10_000;

/** The first rows under `name`, and under `cut` how many are left out, where some are. */
export function listedRows(name: string, rows: readonly Json[]): Values {
  const cut = rows.length - MAX_ROWS;
  return cut > 0 ? { [name]: rows.slice(0, MAX_ROWS), cut } : { [name]: rows };
}

export type Values = { readonly [key: string]: Json };

/** What a check found, before it is given its place in the report. */
export type Outcome = {
  readonly verdict: Verdict;
  /** Stable; upper case where FAILED, lower case where INDETERMINATE, none where PASSED. */
  readonly reason: string | undefined;
  /** One sentence with the numbers. */
  readonly detail: string;
  /** What was compared. */
  readonly values: Values | undefined;
};

export type CheckResult = Outcome & {
  readonly code: CheckCode;
  /** Whether the policy requires this check to pass. */
  readonly required: boolean;
  /** The clause that says how to repeat the check. */
  readonly spec: string;
};

export function passed(detail: string, values?: Values): Outcome {
  return { verdict: 'PASSED', reason: undefined, detail, values };
}

export function indeterminate(reason: string, detail: string, values?: Values): Outcome {
  return { verdict: 'INDETERMINATE', reason, detail, values };
}

export function failed(reason: string, detail: string, values?: Values): Outcome {
  return { verdict: 'FAILED', reason, detail, values };
}
