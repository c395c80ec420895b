/** The plug of a machine is pulled under traffic: what the agent on it called durable is on its disk. */
import { expect, test } from 'vitest';
import { temporaryFolder } from '../agent/support/temporary-folder.ts';
import { MachineOnTrial } from './machine-on-trial.ts';
import { stopMachines } from './random-kills.ts';
import { reportLines } from './report-lines.ts';

const ORDERS = { framesPerSecond: 500, chunkMs: 1000, journal: 'kept' } as const;
const SEED = 20_261_127;

test('stopped three times, it loses nothing that was durable, and everything verifies', async () => {
  using folder = temporaryFolder();
  const report = await stopMachines({ ...ORDERS, folder: folder.path, seed: SEED, kills: 3 });
  process.stdout.write(`${reportLines(report, SEED).join('\n')}\n`);
  expect(report.wrong).toEqual([]);
  expect(report.promising).toBeGreaterThan(1);
  // Each stop, and the end of the run in which everything is compared.
  expect(report.causes).toContain('power_off');
  expect(report.causes).not.toContain('agent_crashed');
}, 600_000);

/** Of one machine that is stopped with syncs, and then without. */
async function missingWithoutSyncs(): Promise<readonly string[]> {
  using folder = temporaryFolder();
  const machine = new MachineOnTrial(folder.path, ORDERS);
  await machine.stopAfter({ watermarks: 5, delayMs: 0 });
  await machine.stopAfter({ watermarks: 30, delayMs: 0 }, { syncs: false });
  await machine.bringHome();
  const { wrong } = await machine.unit.stopAndCompare();
  return wrong;
}

test('without fsync, frames that were called durable are missing', async () => {
  let wrong: readonly string[] = [];
  // The kernel may have written everything by itself right before the stop, the slower the machine, the likelier.
  for (let attempt = 0; attempt < 4 && wrong.length === 0; attempt++) {
    wrong = await missingWithoutSyncs();
  }
  // And only that run: the unit itself was on the disk.
  expect(wrong.join('\n')).toMatch(/^run 1: \d+ frames of can0 were durable, \d+ are left$/m);
  expect(wrong.filter((what) => what.startsWith('run 0'))).toEqual([]);
}, 600_000);
