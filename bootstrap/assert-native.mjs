// Loads each native module under the Node that runs this and says what is missing without it.
// usage: assert-native.mjs [--strict]   --strict: the optional ones, too, must load

import { createRequire } from 'node:module';
import { argv, exit, version } from 'node:process';
import { ADDON } from './native-addon.mjs';
import { pinnedNodeVersion } from './paths.mjs';
import { say } from './say.mjs';

/** @type {readonly { name: string, without?: string, load?: () => unknown, probe: (module: any) => boolean }[]} */
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
  {
    name: 'hw/native',
    without: 'nothing can be recorded through the driver "native", and sealing is slower',
    load: () => createRequire(import.meta.url)(ADDON),
    probe: ({ clocks }) => {
      const now = new BigInt64Array(3);
      clocks(now);
      return now.every((ns) => ns > 0n);
    },
  },
];

const strict = argv.includes('--strict');
let failed = false;

if (version !== `v${pinnedNodeVersion()}`) {
  say(`expected Node v${pinnedNodeVersion()}, got ${version}`);
  failed = true;
}
for (const { name, without, load = () => import(name), probe } of NATIVE) {
  const fault = await faultOf(load, probe);
  if (fault === undefined) continue;
  say(`  ${name} does not load under Node ${version} (${fault})${without ? `: ${without}` : ''}`);
  failed ||= strict || without === undefined;
}
if (strict && !failed) say(`${NATIVE.length} native modules load under Node ${version}`);
exit(failed ? 1 : 0);

/**
 * @param {() => unknown} load
 * @param {(module: any) => boolean} probe
 * @returns {Promise<string | undefined>}
 */
async function faultOf(load, probe) {
  try {
    return probe(await load()) ? undefined : 'a wrong answer';
  } catch (error) {
    return String(/** @type {Error} */ (error).message).split('\n')[0];
  }
}
