// Loads each native module under the Node that runs this and says what is missing without it.
// usage: assert-native.mjs [--strict]   --strict: the optional ones, too, must load

import { argv, exit, version } from 'node:process';
import { pinnedNodeVersion } from './paths.mjs';
import { say } from './say.mjs';

/** @type {readonly { name: string, without?: string, probe: (module: any) => boolean }[]} */
const NATIVE = [
  {
    name: 'better-sqlite3',
    probe: ({ default: Database }) => {
      const database = new Database(':memory:');
      const [row] = database.prepare('SELECT 6 * 7 AS answer').all();
      database.close();
      return row.answer === 42;
    },
  },
  {
    // Not the package's main file: that falls back to JavaScript without a word.
    name: 'secp256k1/bindings.js',
    without: 'signatures are made and checked by the slower @noble/secp256k1',
    probe: ({ default: secp256k1 }) => secp256k1.privateKeyVerify(new Uint8Array(32).fill(1)),
  },
  {
    name: 'socketcan',
    without: 'nothing can be recorded through the driver "socketcan"',
    probe: ({ default: socketcan }) => typeof socketcan.createRawChannel === 'function',
  },
];

const strict = argv.includes('--strict');
let failed = false;

if (version !== `v${pinnedNodeVersion()}`) {
  say(`expected Node v${pinnedNodeVersion()}, got ${version}`);
  failed = true;
}
for (const { name, without, probe } of NATIVE) {
  const fault = await faultOf(name, probe);
  if (fault === undefined) continue;
  say(`  ${name} does not load under Node ${version} (${fault})${without ? `: ${without}` : ''}`);
  failed ||= strict || without === undefined;
}
if (strict && !failed) say(`${NATIVE.length} native modules load under Node ${version}`);
exit(failed ? 1 : 0);

/**
 * @param {string} name
 * @param {(module: any) => boolean} probe
 * @returns {Promise<string | undefined>}
 */
async function faultOf(name, probe) {
  try {
    return probe(await import(name)) ? undefined : 'a wrong answer';
  } catch (error) {
    return String(/** @type {Error} */ (error).message).split('\n')[0];
  }
}
