// `npm run check`: everything that can be said about the sources without running them.
// usage: check.mjs [step ...]   only the named steps

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { argv, execPath, exit, stdout } from 'node:process';
import { NODE_MODULES, ROOT } from './paths.mjs';
import { exitOnSignal } from './signals.mjs';
import { runTool } from './steps.mjs';

/** The folders with TypeScript; those that exist are looked at. */
const FOLDERS = [
  'agent',
  'anchor-service',
  'cli',
  'contracts',
  'core',
  'fixtures',
  'hw',
  'monitor',
  'owner',
  'test',
  'verifier',
].filter((folder) => existsSync(join(ROOT, folder)));

/** @param {string} path */
const tool = (path) => join(NODE_MODULES, path);

/**
 * `needs`: the step is left out as long as this file does not exist.
 * @type {readonly { name: string, script: string, args: readonly string[], needs?: string }[]}
 */
const STEPS = [
  {
    name: 'biome',
    script: tool('@biomejs/biome/bin/biome'),
    args: ['check', '--error-on-warnings', '.'],
  },
  { name: 'types', script: tool('typescript/bin/tsc'), args: ['-p', 'tsconfig.json'] },
  // The same files without Node's types: what a browser has is all that core/ and verifier/ may use.
  {
    name: 'web-types',
    script: tool('typescript/bin/tsc'),
    args: ['-p', 'tsconfig.web.json'],
    needs: 'core',
  },
  { name: 'promises', script: tool('eslint/bin/eslint.js'), args: ['--max-warnings=0', '.'] },
  {
    name: 'imports',
    script: tool('dependency-cruiser/bin/dependency-cruiser.mjs'),
    args: ['--config', '.dependency-cruiser.cjs', ...FOLDERS],
  },
  {
    name: 'dead-code',
    script: tool('knip/bin/knip.js'),
    args: ['--no-progress', '--no-config-hints'],
  },
  // Generated files are what their generators make today.
  {
    name: 'fixtures',
    script: 'fixtures/generate/main.ts',
    args: ['--check'],
    needs: 'fixtures/generate/main.ts',
  },
  { name: 'abi', script: 'contracts/compile.ts', args: ['--check'], needs: 'contracts/compile.ts' },
];

exitOnSignal();
const wanted = argv.slice(2);
const unknown = wanted.filter((name) => !STEPS.some((step) => step.name === name));
if (unknown.length > 0) {
  stdout.write(`expected some of ${STEPS.map((step) => step.name).join(', ')}, got ${unknown}\n`);
  exit(2);
}

const failed = [];
let done = 0;
for (const { name, script, args, needs } of STEPS) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  if (needs !== undefined && !existsSync(join(ROOT, needs))) continue;
  const { status, output, seconds } = await runTool(execPath, [script, ...args]);
  stdout.write(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds.toFixed(1)} s)\n`);
  if (status !== 0) {
    failed.push(name);
    stdout.write(`${output.trimEnd()}\n`);
  }
  done += 1;
}
stdout.write(
  failed.length > 0 ? `check failed: ${failed.join(', ')}\n` : `check passed: ${done} steps\n`,
);
exit(failed.length > 0 ? 1 : 0);
