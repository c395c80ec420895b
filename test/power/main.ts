/** `npm run test:power`: as the tests beside it, for as long as wanted, and with another seed each time. */
import { parseArgs } from 'node:util';
import { temporaryFolder } from '../agent/support/temporary-folder.ts';
import { killAtRandom } from './random-kills.ts';
import { killLines } from './report-lines.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '1000' },
    units: { type: 'string', default: '2' },
    seed: { type: 'string', default: `${Date.now() % 2 ** 31}` },
  },
});
const [kills, units, seed] = [values.kills, values.units, values.seed].map(Number);
if (kills === undefined || units === undefined || seed === undefined)
  throw new RangeError('no numbers');

function say(lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`);
}

let failed = 0;
using folder = temporaryFolder();
const report = await killAtRandom({
  folder: folder.path,
  seed,
  units,
  kills: Math.ceil(kills / units),
  compareEvery: 50,
  framesPerSecond: 1000,
  chunkMs: 400,
  journal: 'kept',
});
say([`${kills} kills of the agent, 1000 frames/s on two buses`, ...killLines(report, seed)]);
failed += report.wrong.length;
process.exitCode = failed === 0 ? 0 : 1;
