#!/usr/bin/env node
// What every npm script calls: install if need be, then become the wanted program under the pinned Node.
// usage: node bootstrap/run.mjs <task> [arguments]

import { argv } from 'node:process';
import { becomePinnedNode, becomeWitnessmark } from './exec.mjs';
import { ensureInstalled } from './install.mjs';
import { isRelease, runnable } from './paths.mjs';
import { say } from './say.mjs';

/**
 * Task: the script that does it, and the arguments before the user's own.
 * @type {Record<string, readonly [string, ...string[]]>}
 */
const TASKS = {
  bench: ['test/bench/main.ts'],
  'bench:rig': ['test/rig/bench-cpu.ts'],
  build: ['bootstrap/build.mjs'],
  check: ['bootstrap/check.mjs'],
  contracts: ['contracts/compile.ts'],
  demo: ['cli/main.ts', 'demo'],
  fixtures: ['fixtures/generate/main.ts'],
  format: ['node_modules/@biomejs/biome/bin/biome', 'check', '--write', '.'],
  pictures: ['test/verifier/page/pictures.ts'],
  test: ['bootstrap/test.mjs'],
  'test:chaos': ['test/chaos/main.ts'],
  'test:power': ['test/power/main.ts'],
  'test:rig': ['bootstrap/test.mjs', '--part=rig'],
  vitest: ['node_modules/vitest/vitest.mjs', 'run'],
  witnessmark: ['cli/main.ts'],
};

try {
  const [name = '', ...args] = argv.slice(2);
  const task = Object.hasOwn(TASKS, name) ? TASKS[name] : undefined;
  if (!task) throw new Error(`expected one of ${Object.keys(TASKS).join(', ')}, got "${name}"`);
  await ensureInstalled({ development: !isRelease() });
  const [script, ...first] = task;
  const become = name === 'witnessmark' ? becomeWitnessmark : becomePinnedNode;
  become(runnable(script), [...first, ...args]);
} catch (error) {
  say(/** @type {Error} */ (error).message);
  process.exitCode = 2;
}
