/** `npm run test:power`: the tests beside it, for as long as wanted, and with another seed each time. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { temporaryFolder } from '../agent/support/temporary-folder.ts';
import { type KillReport, killAgents, stopMachines } from './random-kills.ts';
import { reportLines } from './report-lines.ts';

/** A unit's whole evidence is compared at its end: several short lives show the same as one long one. */
const KILLS_OF_A_PAIR = 250;
const STOPS_OF_A_MACHINE = 5;
/** One after the other. */
const TRAFFIC = [
  { framesPerSecond: 1000, chunkMs: 400 },
  { framesPerSecond: 2000, chunkMs: 1000 },
  { framesPerSecond: 300, chunkMs: 300 },
] as const;

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '1000' },
    stops: { type: 'string', default: '20' },
    seed: { type: 'string', default: `${Date.now() % 2 ** 31}` },
  },
});
const seed = Number(values.seed);
const wrong: string[] = [];

function say(title: string, seedOfThis: number, report: KillReport): void {
  process.stdout.write(`${[title, ...reportLines(report, seedOfThis)].join('\n  ')}\n`);
  wrong.push(...report.wrong);
}

const packages = join(import.meta.dirname, '../../bootstrap/debian-packages.sh');
execFileSync(packages, ['rig'], { stdio: 'inherit' });
using folder = temporaryFolder();
let made = 0;

function newFolder(): string {
  const path = join(folder.path, `${made++}`);
  mkdirSync(path);
  return path;
}

for (const [i, count] of portions(Number(values.kills), KILLS_OF_A_PAIR).entries()) {
  const own = seed + 2 * i;
  const report = await killAgents({
    folder: newFolder(),
    seed: own,
    ...{ units: 2, kills: Math.ceil(count / 2), compareEvery: 50 },
    ...{ ...trafficOf(i), journal: 'kept' },
  });
  say(`two units, ${count} kills of the agent, ${pace(i)}`, own, report);
}
for (const [i, count] of portions(Number(values.stops), STOPS_OF_A_MACHINE).entries()) {
  const own = seed + i;
  const report = await stopMachines({
    folder: newFolder(),
    ...{ seed: own, kills: count },
    ...{ ...trafficOf(i), journal: 'kept' },
  });
  say(`a machine, stopped ${count} times, ${pace(i)}`, own, report);
}
process.exitCode = wrong.length === 0 ? 0 : 1;

function trafficOf(i: number): (typeof TRAFFIC)[number] {
  return TRAFFIC[i % TRAFFIC.length] ?? TRAFFIC[0];
}

function pace(i: number): string {
  return `${trafficOf(i).framesPerSecond} frames/s`;
}

function portions(total: number, size: number): readonly number[] {
  return Array.from({ length: Math.ceil(total / size) }, (_, i) =>
    Math.min(size, total - i * size),
  );
}
