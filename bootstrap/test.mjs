// `npm test`: runs every part and ends with the line `N passed, N failed`.
// usage: test.mjs [--part=NAME] [filter ...]   with filters, only the parts that take them

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, exit, stdout } from 'node:process';
import { ROOT } from './paths.mjs';
import { exitOnSignal } from './signals.mjs';
import { runTool } from './steps.mjs';
import { PARTS } from './test-parts.mjs';

exitOnSignal();
const PART = '--part=';
const named = argv
  .slice(2)
  .find((word) => word.startsWith(PART))
  ?.slice(PART.length);
const filters = argv.slice(2).filter((word) => !word.startsWith(PART));
const parts = PARTS.filter(
  ({ name, needs, takes }) =>
    (named === undefined ? filters.length === 0 || takes(filters) : name === named) &&
    existsSync(join(ROOT, needs)),
);
// A real browser, a machine with CAN sockets: Debian's, installed when they are not there.
for (const word of new Set(parts.map(({ packages }) => packages))) {
  const script = join(ROOT, 'bootstrap/debian-packages.sh');
  const installed = spawnSync(script, [word], { stdio: 'inherit' });
  if (installed.status !== 0) exit(1);
}
const scratch = mkdtempSync(join(tmpdir(), 'witnessmark-test-'));
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));

let passed = 0;
let failed = 0;
for (const part of parts) {
  const totals = await runPart(part);
  stdout.write(`${part.name}: ${totals.passed} passed, ${totals.failed} failed\n`);
  passed += totals.passed;
  failed += totals.failed;
}
stdout.write(`${passed} passed, ${failed} failed\n`);
// Nothing tested is nothing shown.
exit(failed === 0 && passed > 0 ? 0 : 1);

/**
 * @param {import('./test-parts.mjs').Part} part
 * @returns {Promise<import('./test-parts.mjs').Totals>}
 */
async function runPart({ name, command, show, totals }) {
  const report = join(scratch, `${name}.json`);
  const [program, ...args] = command(report);
  const outcome = await runTool(program, [...args, ...filters], { show });
  const counted = read(() => totals(report, outcome.stdout));
  // A part can fail beside its tests: an error after the last one, a gas snapshot that differs.
  const failedBeside = outcome.status !== 0 && counted.failed === 0;
  if (counted.failed > 0 || failedBeside) stdout.write(outcome.output);
  return failedBeside ? { ...counted, failed: 1 } : counted;
}

/**
 * A part that gives no totals did not run: that is a failure.
 * @param {() => import('./test-parts.mjs').Totals} totals
 */
function read(totals) {
  try {
    return totals();
  } catch (error) {
    stdout.write(`no totals: ${/** @type {Error} */ (error).message}\n`);
    return { passed: 0, failed: 1 };
  }
}
