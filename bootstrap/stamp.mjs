// Answers whether node_modules is what package-lock.json asks for, without starting npm.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const STAMP = '.witnessmark-installed';

/**
 * @param {string} root folder of package-lock.json
 * @param {boolean} development whether development packages are wanted, too
 */
export function isInstalled(root, development) {
  const path = join(root, 'node_modules', STAMP);
  if (!existsSync(path)) return false;
  const stamp = readFileSync(path, 'utf8');
  // A release has only what it runs with; whoever has more has that, too.
  return stamp === text(root, true) || (!development && stamp === text(root, false));
}

/**
 * Written last: an installation that was cut short has no stamp and is done again.
 * @param {string} root
 * @param {boolean} development
 */
export function writeStamp(root, development) {
  writeFileSync(join(root, 'node_modules', STAMP), text(root, development));
}

/**
 * @param {string} root
 * @param {boolean} development
 */
function text(root, development) {
  const lock = readFileSync(join(root, 'package-lock.json'));
  const digest = createHash('sha256').update(lock).digest('hex');
  return `${digest} ${process.arch} ${development ? 'development' : 'release'}\n`;
}

/**
 * npm writes what it unpacked to node_modules/.package-lock.json. `npm install` may unpack what the lock
 * does not name, when package.json and the lock disagree; `npm ci` would refuse, so this refuses, too.
 * @param {string} root
 * @returns {string[]} packages that are not those of package-lock.json
 */
export function foreignPackages(root) {
  const locked = packagesOf(join(root, 'package-lock.json'));
  const present = packagesOf(join(root, 'node_modules', '.package-lock.json'));
  return Object.entries(present)
    .filter(([path, { integrity }]) => locked[path]?.integrity !== integrity)
    .map(([path, { version }]) => `${path.replace(/^.*node_modules\//, '')}@${version}`);
}

/**
 * @param {string} path
 * @returns {Record<string, { version: string, integrity?: string }>}
 */
function packagesOf(path) {
  const { packages } = JSON.parse(readFileSync(path, 'utf8'));
  // The entry '' is the project itself, not a package that was unpacked.
  return Object.fromEntries(Object.entries(packages).filter(([name]) => name !== ''));
}
