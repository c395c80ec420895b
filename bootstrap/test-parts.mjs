// The parts of `npm test`. A new part is one entry: a command, and how its totals are read.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NODE_MODULES } from './paths.mjs';

/**
 * @typedef {object} Totals
 * @property {number} passed
 * @property {number} failed
 *
 * @typedef {object} Part
 * @property {string} name
 * @property {string} needs a file, relative to the root; without it the part is left out
 * @property {(report: string) => readonly [string, ...string[]]} command report: a file it may write
 * @property {boolean} show whether its output is for people, and passed on as it comes
 * @property {(report: string, printed: string) => Totals} totals
 */

/** @type {readonly Part[]} */
export const PARTS = [
  {
    name: 'vitest',
    needs: 'vitest.config.ts',
    command: (report) => [
      process.execPath,
      join(NODE_MODULES, 'vitest/vitest.mjs'),
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ],
    show: true,
    totals: (report) => vitestTotals(readFileSync(report, 'utf8')),
  },
  {
    name: 'forge',
    needs: 'contracts/forge-test.ts',
    command: () => [process.execPath, 'contracts/forge-test.ts'],
    show: false,
    totals: (_report, printed) => forgeTotals(printed),
  },
];

/**
 * @param {string} json
 * @returns {Totals}
 */
export function vitestTotals(json) {
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(json);
  // A file that does not even load has no test that failed; it counts as one.
  const broken = testResults.filter(
    (/** @type {{ status: string, assertionResults: { status: string }[] }} */ file) =>
      file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  return { passed: numPassedTests, failed: numFailedTests + broken.length };
}

/**
 * @param {string} printed by contracts/forge-test.ts, which says itself what failed
 * @returns {Totals}
 */
export function forgeTotals(printed) {
  const line = /^forge: (\d+) passed, (\d+) failed, (\d+) skipped/m.exec(printed);
  if (!line) throw new Error('expected a line "forge: N passed, N failed, N skipped", got none');
  const [passed = 0, failed = 0, skipped = 0] = line.slice(1).map(Number);
  // A skipped test shows nothing, so it is not let through.
  return { passed, failed: failed + skipped };
}
