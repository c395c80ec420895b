// Installs what package-lock.json names, once, and says so from the first second.
// Run by hand: node bootstrap/install.mjs [--release] [--strict]
//   --release  without development packages
//   --strict   a native module that does not load is an error, not a warning

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { lockInstallation } from './install-lock.mjs';
import { buildAddon, isAddonCurrent } from './native-addon.mjs';
import { npm, registryAnswers } from './npm.mjs';
import { NODE_MODULES, PINNED_NODE, pinnedNodeVersion, ROOT } from './paths.mjs';
import { say } from './say.mjs';
import { foreignPackages, isInstalled, writeStamp } from './stamp.mjs';
import { buildPage, isPageCurrent } from './verifier-page.mjs';

/** Packages whose install scripts compile something; the same as in package.json, "allowScripts". */
const COMPILED = ['socketcan', 'secp256k1'];

/**
 * Returns at once when node_modules is what the lock file asks for.
 * @param {{ development?: boolean, strict?: boolean }} [options]
 */
export async function ensureInstalled({ development = true, strict = false } = {}) {
  // A release brings the page along, and has nothing to build it with.
  const hasPage = () => !development || isPageCurrent();
  const isReady = isInstalled(ROOT, development) && isAddonCurrent() && hasPage();
  if (isReady && !strict) return;
  const version = pinnedNodeVersion();
  const release = await lockInstallation(ROOT, () => {
    say('installing: another process is at it, waiting for it');
  });
  try {
    // Whoever held the lock may have done the work.
    if (!isInstalled(ROOT, development)) {
      await install(version, development);
    } else if (!isAddonCurrent()) {
      say('compiling hw/native, whose sources have changed');
      buildAddon();
    }
    if (!hasPage()) await buildPage();
    if (strict && !nativeModulesLoad('--strict')) {
      // Installed without a compiler, and there may be one now.
      for (const name of COMPILED) await compile(name);
      buildAddon();
      if (!nativeModulesLoad('--strict')) throw new Error('a native module does not load');
    }
  } finally {
    release();
  }
}

/**
 * Why `npm install` and not `npm ci`: a lock file holds the packages of other platforms only as far as the
 * registry that wrote it had them, and cbor-x asks for platform packages that were never published.
 * `npm ci` refuses such a lock; `npm install` takes it. What `npm ci` is for is done here: --no-save leaves
 * the lock file alone, and what was unpacked is compared with it, integrity included.
 *
 * Why install scripts are held back at first: they compile against the headers of the pinned Node, and that
 * arrives as a package in this very step.
 * @param {string} version
 * @param {boolean} development
 */
async function install(version, development) {
  const args = [
    'install',
    '--no-save',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    development ? '--include=dev' : '--omit=dev',
    // Node itself is an optional dependency, one per processor; a user's `omit` must not drop it.
    '--include=optional',
  ];
  const packages = Object.keys(JSON.parse(readFileSync(lockFile(), 'utf8')).packages).length;
  say(`installing 1/4: ${packages} packages at most, Node ${version} among them (about a minute)`);
  mkdirSync(NODE_MODULES, { recursive: true });
  if (!(await registryAnswers())) {
    say("  no answer from the npm registry: trying npm's own cache");
    args.push('--offline');
  }
  await npm(args, { underPinnedNode: false, say });
  assertNodeStarts();

  // npm drops an optional package silently when its "engines" excludes the Node that runs npm (an early
  // Node 20 does that to test tools). Under the pinned Node nothing is missing.
  say(`installing 2/4: once more under Node ${version}, for what an older Node skips`);
  await npm(args, { underPinnedNode: true, say });
  const foreign = foreignPackages(ROOT);
  if (foreign.length > 0) {
    throw new Error(
      `package.json and package-lock.json disagree, run npm install: ${foreign.join(', ')}`,
    );
  }

  say(`installing 3/4: compiling ${COMPILED.join(', ')} and hw/native`);
  for (const name of COMPILED) await compile(name);
  buildAddon();
  say('installing 4/4: loading the native modules');
  if (!nativeModulesLoad()) throw new Error('a native module that is always needed does not load');
  linkCommand();
  writeStamp(ROOT, development);
  say('installed');
}

function assertNodeStarts() {
  const { error, status, stderr } = spawnSync(PINNED_NODE, ['--version'], { encoding: 'utf8' });
  if (status === 0) return;
  const fault = error?.message ?? stderr.trim();
  const remedy = fault.includes('libatomic') ? '; on Debian: apt-get install libatomic1' : '';
  throw new Error(`the pinned Node does not start: ${fault}${remedy}`, { cause: error });
}

/** @param {string} name */
async function compile(name) {
  try {
    await npm(['rebuild', name], { underPinnedNode: true, say });
  } catch (error) {
    // Recording from a socket needs it, a replay and a verification do not: the next step says which.
    say(`  ${name} was not built: ${String(/** @type {Error} */ (error).message).split('\n')[0]}`);
  }
}

/** @param {string[]} args */
function nativeModulesLoad(...args) {
  const script = fileURLToPath(new URL('assert-native.mjs', import.meta.url));
  return spawnSync(PINNED_NODE, [script, ...args], { stdio: ['ignore', 2, 2] }).status === 0;
}

/** npm links the commands of dependencies, not of the project itself; `npx witnessmark` looks there. */
function linkCommand() {
  const link = join(NODE_MODULES, '.bin', 'witnessmark');
  rmSync(link, { force: true });
  symlinkSync('../../bootstrap/witnessmark.mjs', link);
  chmodSync(join(ROOT, 'bootstrap', 'witnessmark.mjs'), 0o755);
}

function lockFile() {
  return join(ROOT, 'package-lock.json');
}

if (argv[1] && realpathSync(argv[1]) === fileURLToPath(import.meta.url)) {
  const flags = argv.slice(2);
  try {
    await ensureInstalled({
      development: !flags.includes('--release'),
      strict: flags.includes('--strict'),
    });
  } catch (error) {
    say(`not installed: ${/** @type {Error} */ (error).message}`);
    process.exitCode = 1;
  }
}
