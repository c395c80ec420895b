// Runs the machine's npm quietly, with a sign of life, and turns its failures into one sentence.

import { spawn } from 'node:child_process';
import { delimiter, join, sep } from 'node:path';
import { NODE_HOME, NODE_MODULES, ROOT } from './paths.mjs';
import { exitOnSignal } from './signals.mjs';

const SIGN_OF_LIFE_MS = 10_000;

/**
 * @param {string[]} args
 * @param {{ underPinnedNode: boolean, say: (line: string) => void }} options
 * @returns {Promise<void>}
 * @throws {Error} one sentence, then the end of npm's own words
 */
export async function npm(args, { underPinnedNode, say }) {
  const child = spawn('npm', args, {
    cwd: ROOT,
    env: environment(underPinnedNode),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  const startedMs = Date.now();
  const alive = setInterval(() => {
    say(`  still at it (${Math.round((Date.now() - startedMs) / 1000)} s)`);
  }, SIGN_OF_LIFE_MS);
  // An npm that outlives this process would work on node_modules without the lock.
  const stop = () => child.kill('SIGTERM');
  process.once('exit', stop);
  const release = exitOnSignal();
  try {
    const status = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve(code ?? signal));
    });
    if (status !== 0) throw new Error(explain(output, args, status));
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ENOENT') throw error;
    throw new Error('npm is needed to install, and there is none on the PATH', { cause: error });
  } finally {
    clearInterval(alive);
    process.removeListener('exit', stop);
    release();
  }
}

/** @param {boolean} underPinnedNode */
function environment(underPinnedNode) {
  // npm must not run on a Node that it is about to replace, so node_modules/.bin goes; npm is a script
  // that takes the first `node` of the PATH.
  const path = (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => !folder.includes(`${sep}node_modules${sep}`));
  if (underPinnedNode) path.unshift(join(NODE_HOME, 'bin'));
  return {
    ...process.env,
    PATH: path.join(delimiter),
    // A user's npm may name another Node's headers; an add-on must be built with those of the Node that
    // loads it. The environment wins over every .npmrc.
    npm_config_nodedir: NODE_HOME,
    // A caller's npm (npm run, npx) names its own project here.
    npm_config_local_prefix: ROOT,
    npm_config_update_notifier: 'false',
    npm_config_progress: 'false',
  };
}

/**
 * One try: an installation without a network goes on trying for more than ten minutes.
 * @returns {Promise<boolean>} false when there is no way to the registry; one that answers anything is there
 */
export async function registryAnswers() {
  try {
    await npm(['ping', '--fetch-retries=0', '--fetch-timeout=20000'], {
      underPinnedNode: false,
      say: () => {},
    });
    return true;
  } catch (error) {
    return !(/** @type {Error} */ (error).message.startsWith(UNREACHABLE));
  }
}

const UNREACHABLE = 'the npm registry cannot be reached; the first run needs the network';

/** @type {[RegExp, string][]} */
const CAUSES = [
  [/ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET|ENETUNREACH|ENOTCACHED/, UNREACHABLE],
  [/ENOSPC/, `the disk is full; an installation needs 1 GB in ${NODE_MODULES}`],
  [/EACCES|EPERM|EROFS/, `${NODE_MODULES} cannot be written by this user`],
  [/EINTEGRITY/, 'a package is not the one that package-lock.json names'],
  [/not found: (make|g\+\+|c\+\+|cc)|find Python|Could not find any Python/i, 'no C++ compiler'],
];

/**
 * @param {string} output
 * @param {string[]} args
 * @param {unknown} status
 */
function explain(output, args, status) {
  const known = CAUSES.find(([pattern]) => pattern.test(output));
  const tail = output.trimEnd().split('\n').slice(-15).join('\n');
  return `${known?.[1] ?? `npm ${args[0]} ended with ${status}`}\n${tail}`;
}
