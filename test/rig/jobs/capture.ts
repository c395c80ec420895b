/** In the guest: real drives into two interfaces, recorded by the agent and by candump side by side. */
import { writeFileSync } from 'node:fs';
import { fixturePath, KONA_LOG, RAV4_LOG } from '../../hw/replay/fixture-logs.ts';
import { Candump, canplayer } from '../guest/candump.ts';
import { type Experiments, runExperiments } from '../guest/experiments.ts';
import { addVcan } from '../guest/interfaces.ts';
import { logForVcan } from '../guest/log-for-vcan.ts';
import { Recorder } from '../guest/recorder.ts';

const INTERFACES = ['vcan0', 'vcan1'] as const;

/** Slower than this no log needs to be for the slowest machine; without an end a broken witness would never fail. */
const SLOWEST = 4;

const experiments = {
  rav4: () => record('rav4', RAV4_LOG),
  kona: () => record('kona', KONA_LOG),
} satisfies Experiments;

export type CaptureExperiments = typeof experiments;

/** Leaves `NAME.log`, what candump saw, and `NAME.wmk`, what the agent recorded. */
async function record(name: string, path: string): Promise<{ readonly stretch: number }> {
  for (let stretch = 1; stretch <= SLOWEST; stretch *= 2) {
    const log = `/run/${name}.log`;
    writeFileSync(log, logForVcan(fixturePath(path), stretch));
    const candump = await Candump.start(INTERFACES);
    const recorder = await Recorder.start('/run/unit', { interfaces: INTERFACES });
    await canplayer(log);
    const { lines, dropped } = await candump.stop();
    await recorder.stop(`/run/shared/${name}.wmk`);
    // A witness that has missed something is none: again, slower.
    if (dropped > 0) continue;
    writeFileSync(`/run/shared/${name}.log`, lines.map((line) => `${line}\n`).join(''));
    return { stretch };
  }
  throw new Error(`candump dropped frames of ${name} at 1/${SLOWEST} of its pace`);
}

for (const name of INTERFACES) addVcan(name);
await runExperiments(experiments);
