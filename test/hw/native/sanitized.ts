/**
 * Runs the native reader under sanitizers: its fuzz targets for memory and arithmetic, again for its threads, and
 * the tests of this folder and of the capture with the add-on that was compiled for it. The last line has the totals.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { vitestTotals } from '../../../bootstrap/test-parts.mjs';

const ROOT = join(import.meta.dirname, '../../..');
const FUZZ = join(import.meta.dirname, 'fuzz');
const NATIVE = join(ROOT, 'hw/native');
const MEMORY = 'address,undefined';
const TESTS = [
  'test/hw/can/native-capture',
  'test/hw/can/capture-life',
  'test/hw/crypto/native-sealing',
  'test/hw/native/',
];

type Totals = { readonly passed: number; readonly failed: number };

function make(folder: string, sanitize: string): string {
  const args = ['--silent', `-j${availableParallelism()}`, '-C', folder, `SANITIZE=${sanitize}`];
  execFileSync('make', args, { stdio: 'inherit' });
  return join(folder, 'build', sanitize);
}

/** A target that holds prints one line; the first that does not ends the run. */
function fuzz(sanitize: string): Totals {
  const program = join(make(FUZZ, sanitize), 'fuzz');
  const { status, stdout } = spawnSync(program, { encoding: 'utf8', stdio: ['ignore', 'pipe', 2] });
  process.stdout.write(stdout.replaceAll(/^/gm, `${sanitize}: `).replace(/[^\n]*$/, ''));
  return { passed: stdout.match(/ rounds$/gm)?.length ?? 0, failed: status === 0 ? 0 : 1 };
}

function testAddon(): Totals {
  const folder = mkdtempSync(join(tmpdir(), 'witnessmark-sanitized-'));
  const report = join(folder, 'report.json');
  const libraries = ['libasan.so', 'libubsan.so'].map((name) =>
    execFileSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim(),
  );
  const env = {
    ...process.env,
    WITNESSMARK_SANITIZED_ADDON: join(make(NATIVE, MEMORY), 'witnessmark.node'),
    NODE_OPTIONS: `--import=${join(import.meta.dirname, 'load-sanitized.ts')}`,
    // Node itself frees little before it exits.
    ASAN_OPTIONS: 'detect_leaks=0',
    UBSAN_OPTIONS: 'halt_on_error=1',
    LD_PRELOAD: libraries.join(':'),
  };
  assertLoaded(env);
  try {
    const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const { status } = spawnSync(
      process.execPath,
      [vitest, 'run', '--project=unit', ...reporters, ...TESTS],
      { cwd: ROOT, env, stdio: ['ignore', 'inherit', 'inherit'] },
    );
    const { passed, failed } = vitestTotals(readFileSync(report, 'utf8'));
    return { passed, failed: failed === 0 && status !== 0 ? 1 : failed };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** That a test passes with the usual add-on shows nothing here. */
function assertLoaded(env: NodeJS.ProcessEnv): void {
  const script = `import('${join(NATIVE, 'addon.ts')}').then(({ addon }) =>
    console.log(addon !== undefined, process.report.getReport().sharedObjects.join()))`;
  const said = execFileSync(process.execPath, ['-e', script], { env, encoding: 'utf8' });
  if (!said.startsWith('true') || !said.includes(`${MEMORY}/witnessmark.node`)) {
    throw new Error(`expected the add-on of ${MEMORY} to be loaded, got ${said}`);
  }
}

function timed(name: string, run: () => Totals): Totals {
  const startedMs = performance.now();
  const totals = run();
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  process.stdout.write(`${name}: ${totals.passed} passed, ${totals.failed} failed, ${seconds} s\n`);
  return totals;
}

const all = [
  timed('fuzz targets, memory', () => fuzz(MEMORY)),
  timed('fuzz targets, threads', () => fuzz('thread')),
  timed('tests of the add-on, memory', testAddon),
];
const passed = all.reduce((sum, totals) => sum + totals.passed, 0);
const failed = all.reduce((sum, totals) => sum + totals.failed, 0);
process.stdout.write(`sanitizers: ${passed} passed, ${failed} failed\n`);
if (failed > 0) process.exitCode = 1;
