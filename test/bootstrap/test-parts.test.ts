/** How the totals of each part of `npm test` are read. */

import { describe, expect, test } from 'vitest';
import { forgeTotals, sanitizerTotals, vitestTotals } from '../../bootstrap/test-parts.mjs';

describe('the totals of vitest', () => {
  const report = (testResults: readonly { status: string; assertionResults: object[] }[]) =>
    JSON.stringify({ numPassedTests: 3, numFailedTests: 1, testResults });

  test('are its own', () => {
    const failed = { status: 'failed', assertionResults: [{ status: 'failed' }] };
    expect(vitestTotals(report([failed]))).toEqual({ passed: 3, failed: 1 });
  });

  test('count a file that does not load as a failure', () => {
    const broken = { status: 'failed', assertionResults: [] };
    const passed = { status: 'passed', assertionResults: [{ status: 'passed' }] };
    expect(vitestTotals(report([broken, passed]))).toEqual({ passed: 3, failed: 2 });
  });
});

describe('the totals of forge', () => {
  test('count a skipped test as failed', () => {
    const line = 'forge: 17 passed, 1 failed, 2 skipped (5 fuzz runs, 6 invariant calls)\n';
    expect(forgeTotals(line)).toEqual({ passed: 17, failed: 3 });
  });

  test('are missing when forge did not run', () => {
    expect(() => forgeTotals('forge did not run')).toThrow(/expected a line/);
  });
});

test('the totals of the sanitizers are in their last line, or missing', () => {
  expect(
    sanitizerTotals('fuzz: 8 passed, 0 failed, 3 s\nsanitizers: 67 passed, 1 failed\n'),
  ).toEqual({
    passed: 67,
    failed: 1,
  });
  expect(() => sanitizerTotals('fuzz: 8 passed, 0 failed, 3 s\n')).toThrow(/expected a line/);
});
