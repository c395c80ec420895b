// Builds our own native add-on, hw/native, when its sources are not those that it was built from.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRelease, NODE_HOME, pinnedNodeVersion, ROOT } from './paths.mjs';
import { say } from './say.mjs';

const SOURCES = join(ROOT, 'hw', 'native');

/** Where it is in a checkout and, as `npm run build` copies it, in a release. */
export const ADDON = join(ROOT, isRelease() ? 'dist' : '.', 'hw/native/build/witnessmark.node');

/** Says what the file beside it was built from, and whether that went well. */
const STAMP = join(SOURCES, 'build', 'built-from');

/** @returns {boolean} whether it was built from these sources, or cannot be and that was said already */
export function isAddonCurrent() {
  if (isRelease()) return true;
  const stamp = existsSync(STAMP) ? readFileSync(STAMP, 'utf8') : '';
  if (stamp === text('failed')) return true;
  return stamp === text('built') && existsSync(ADDON);
}

/** Says why when it could not be built; what works without it, works. */
export function buildAddon() {
  if (isRelease()) return;
  // What other sources made must not be loaded when these do not compile.
  rmSync(ADDON, { force: true });
  mkdirSync(join(SOURCES, 'build'), { recursive: true });
  const build = spawnSync('make', ['--silent', '-j2', '-C', SOURCES, `NODE_HOME=${NODE_HOME}`], {
    encoding: 'utf8',
  });
  const built = build.status === 0;
  if (!built) {
    const fault = build.error?.message ?? build.stderr.trim().split('\n')[0];
    say(`  hw/native was not built: ${fault}`);
  }
  writeFileSync(STAMP, text(built ? 'built' : 'failed'));
}

/** @param {'built' | 'failed'} outcome */
function text(outcome) {
  const hash = createHash('sha256').update(`${pinnedNodeVersion()} ${process.arch}`);
  const files = readdirSync(SOURCES).filter((name) => /^Makefile$|[.](cc|h)$/.test(name));
  for (const file of files.sort()) {
    hash.update(`\0${file}\0`).update(readFileSync(join(SOURCES, file)));
  }
  return `${hash.digest('hex')} ${outcome}\n`;
}
