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
 * @property {'test' | 'rig'} packages the word of debian-packages.sh that brings what it runs with
 * @property {(filters: readonly string[]) => boolean} takes whether it has tests that the filters may mean
 * @property {(report: string) => readonly [string, ...string[]]} command report: a file it may write
 * @property {boolean} show whether its output is for people, and passed on as it comes
 * @property {(report: string, printed: string) => Totals} totals
 */

/** @type {readonly Part[]} */
export const PARTS = [
  {
    name: 'vitest',
    needs: 'vitest.config.ts',
    packages: 'test',
    takes: () => true,
    command: (report) => vitest(['unit', 'heavy'], report),
    show: true,
    totals: (report) => vitestTotals(readFileSync(report, 'utf8')),
  },
  // By themselves: a case kills and stops processes, and waits for blocks as they come.
  {
    name: 'chaos',
    needs: 'test/chaos/main.ts',
    packages: 'test',
    takes: (filters) => filters.some((filter) => filter.includes('test/chaos')),
    command: (report) => [process.execPath, 'test/chaos/main.ts', '--slice', `--report=${report}`],
    show: true,
    totals: (report) => vitestTotals(readFileSync(report, 'utf8')),
  },
  // After the others: machines that share the processors with everything else wait for each other.
  {
    name: 'rig',
    needs: 'test/rig',
    packages: 'rig',
    takes: (filters) => filters.some((filter) => /test\/(power|rig)/.test(filter)),
    command: (report) => vitest(['rig'], report),
    show: true,
    totals: (report) => vitestTotals(readFileSync(report, 'utf8')),
  },
  {
    name: 'forge',
    needs: 'contracts/forge-test.ts',
    packages: 'test',
    takes: () => false,
    command: () => [process.execPath, 'contracts/forge-test.ts'],
    show: false,
    totals: (_report, printed) => forgeTotals(printed),
  },
  {
    name: 'sanitizers',
    needs: 'test/hw/native/sanitized.ts',
    packages: 'test',
    takes: () => false,
    command: () => [process.execPath, 'test/hw/native/sanitized.ts'],
    show: false,
    totals: (_report, printed) => sanitizerTotals(printed),
  },
];

/**
 * @param {readonly string[]} projects of vitest.config.ts
 * @param {string} report
 * @returns {readonly [string, ...string[]]}
 */
function vitest(projects, report) {
  return [
    process.execPath,
    join(NODE_MODULES, 'vitest/vitest.mjs'),
    'run',
    ...projects.map((name) => `--project=${name}`),
    // A filter may name files of the other part only.
    '--passWithNoTests',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ];
}

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

/**
 * @param {string} printed by test/hw/native/sanitized.ts
 * @returns {Totals}
 */
export function sanitizerTotals(printed) {
  const line = /^sanitizers: (\d+) passed, (\d+) failed$/m.exec(printed);
  if (!line) throw new Error('expected a line "sanitizers: N passed, N failed", got none');
  const [passed = 0, failed = 0] = line.slice(1).map(Number);
  return { passed, failed };
}
