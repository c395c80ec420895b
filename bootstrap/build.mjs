// `npm run build`: compiles the product to dist/, and copies what it reads at run time.

import { cpSync, existsSync, globSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { execPath, exit, stdout } from 'node:process';
import { ADDON } from './native-addon.mjs';
import { NODE_MODULES, ROOT } from './paths.mjs';
import { exitOnSignal } from './signals.mjs';
import { runTool } from './steps.mjs';

const DIST = join(ROOT, 'dist');

/** Files beside the sources that are read at run time. */
const ASSETS = '{agent,anchor-service,cli,core,hw,monitor,owner,verifier}/**/*.{html,json,sql}';

exitOnSignal();
rmSync(DIST, { recursive: true, force: true });
const tsc = join(NODE_MODULES, 'typescript/bin/tsc');
const { status, output } = await runTool(execPath, [tsc, '-p', 'tsconfig.build.json']);
if (status !== 0) {
  stdout.write(`${output.trimEnd()}\nbuild failed\n`);
  exit(1);
}
for (const file of globSync(ASSETS, { cwd: ROOT })) cpSync(join(ROOT, file), join(DIST, file));
// Not there on a machine without a compiler, where it is missing from the release, too.
if (existsSync(ADDON)) cpSync(ADDON, join(DIST, relative(ROOT, ADDON)));
if (!existsSync(join(DIST, 'cli', 'main.js'))) throw new Error('tsc wrote no dist/cli/main.js');
stdout.write('built dist/\n');
