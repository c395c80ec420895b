/**
 * Runs the chaos cases: every file `*.test.ts` below this folder is a group of them, found by its name alone.
 * usage: main.ts [--slice] [--seed N] [--report FILE] [filter ...]
 *   --slice    a few files that the seed picks: what `npm test` has time for
 *   --seed     which files, and in which order; printed, so that a run can be repeated
 *   --report   vitest's results as JSON
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { seeded } from '../power/seeded.ts';

const ROOT = join(import.meta.dirname, '../..');
const VITEST = join(ROOT, 'node_modules/vitest/vitest.mjs');
/** Below three minutes on two quiet processors: no file takes much longer than a minute, and two run at once. */
const FILES_IN_A_SLICE = 4;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    slice: { type: 'boolean', default: false },
    // Another slice each day, so that every case has run after some days, and the same all day.
    seed: { type: 'string', default: `${Math.floor(Date.now() / 86_400_000)}` },
    report: { type: 'string' },
  },
});

const seed = Number(values.seed);
const all = shuffled(globSync('test/chaos/**/*.test.ts', { cwd: ROOT }).sort(), seeded(seed));
const files = values.slice && positionals.length === 0 ? all.slice(0, FILES_IN_A_SLICE) : all;
process.stdout.write(`chaos: seed ${seed}, ${files.length} of ${all.length} files\n`);

const report =
  values.report === undefined ? [] : ['--reporter=json', `--outputFile.json=${values.report}`];
const { status } = spawnSync(
  process.execPath,
  [
    VITEST,
    'run',
    '--project=chaos',
    '--reporter=default',
    ...report,
    ...(positionals.length > 0 ? ['--passWithNoTests', ...positionals] : files),
  ],
  {
    cwd: ROOT,
    stdio: 'inherit',
    env: {
      ...process.env,
      WITNESSMARK_CHAOS_SEED: `${seed}`,
      ...(values.slice ? { WITNESSMARK_CHAOS_SLICE: '1' } : {}),
    },
  },
);
process.exitCode = status ?? 1;

function shuffled(names: readonly string[], below: (limit: number) => number): readonly string[] {
  const left = [...names];
  return names.flatMap(() => left.splice(below(left.length), 1));
}
