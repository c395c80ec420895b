/** What a story expects of its parts: whatever comes out otherwise ends it with a sentence. */
import {
  FormatError,
  OperationalError,
  UserError,
  VerificationError,
} from '../../../core/errors.ts';
import type { Report } from '../../../verifier/report.ts';
import type { Say } from './stage.ts';

/** @throws VerificationError STORY_OTHERWISE */
export function expectThat(isSo: boolean, sentence: string): void {
  if (!isSo) throw otherwise(sentence);
}

/**
 * Tries what must fail, and says with which code it did.
 * @throws VerificationError STORY_OTHERWISE
 */
export async function expectRefusal(
  say: Say,
  attempt: string,
  code: string,
  work: () => unknown,
): Promise<void> {
  let got: string | undefined;
  try {
    await work();
  } catch (error) {
    got = codeOf(error);
    if (got === undefined) throw error;
  }
  if (got !== code) {
    throw otherwise(`${attempt}: refused with ${code}, got ${got ?? 'no refusal'}`);
  }
  say(`  ${attempt}: refused, ${code}.`);
}

/**
 * That a check of a report says this: a reason, or a verdict where it gives none.
 * @throws VerificationError STORY_OTHERWISE
 */
export function expectVerdict(report: Report, check: string, expected: string): void {
  const found = report.checks.find(({ code }) => code === check);
  const got = found?.reason ?? found?.verdict;
  if (got === expected) return;
  throw otherwise(`${check} of the evidence: ${expected}, got ${got}: ${found?.detail}`);
}

function codeOf(error: unknown): string | undefined {
  const isCoded =
    error instanceof FormatError ||
    error instanceof OperationalError ||
    error instanceof UserError ||
    error instanceof VerificationError;
  return isCoded ? error.code : undefined;
}

function otherwise(sentence: string): VerificationError {
  return new VerificationError('STORY_OTHERWISE', `the story expected ${sentence}`);
}
