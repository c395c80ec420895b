#!/usr/bin/env node
// The command `witnessmark`: however it is started, it becomes the pinned Node before anything native is
// imported. Standard output belongs to the command alone.

import { argv } from 'node:process';
import { becomeWitnessmark } from './exec.mjs';
import { ensureInstalled } from './install.mjs';
import { isRelease, runnable } from './paths.mjs';
import { say } from './say.mjs';

try {
  await ensureInstalled({ development: !isRelease() });
  becomeWitnessmark(runnable('cli/main.ts'), argv.slice(2));
} catch (error) {
  say(`witnessmark: ${/** @type {Error} */ (error).message}`);
  process.exitCode = 2;
}
