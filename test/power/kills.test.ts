/** The agent is killed at random moments under traffic: what it called durable is in the evidence. */
import { expect, test } from 'vitest';
import { temporaryFolder } from '../agent/support/temporary-folder.ts';
import { killAgents } from './random-kills.ts';
import { reportLines } from './report-lines.ts';
import { UnitOnTrial } from './unit-on-trial.ts';

const TRAFFIC = { framesPerSecond: 1000, chunkMs: 400 } as const;
const SEED = 20_261_127;

test('100 kills lose nothing that was durable, and everything verifies', async () => {
  using folder = temporaryFolder();
  const report = await killAgents({
    ...TRAFFIC,
    journal: 'kept',
    folder: folder.path,
    seed: SEED,
    ...{ units: 2, kills: 50, compareEvery: 25 },
  });
  process.stdout.write(`${reportLines(report, SEED).join('\n')}\n`);
  expect(report.wrong).toEqual([]);
  expect(new Set(report.causes)).toEqual(new Set(['agent_crashed', 'agent_stopped']));
  // Something was tried: promises were made, and chunks were made of journals.
  expect(report.promising).toBeGreaterThan(70);
  expect(report.recoveredChunks).toBeGreaterThan(40);
}, 900_000);

test('without the journal, frames that were called durable are missing', async () => {
  using folder = temporaryFolder();
  const unit = new UnitOnTrial(folder.path, { ...TRAFFIC, chunkMs: 60_000, journal: 'none' });
  await unit.killAfter({ watermarks: 10, delayMs: 0 });
  const { wrong } = await unit.stopAndCompare();
  expect(wrong.join('\n')).toMatch(/^run 0: \d+ frames of can0 were durable, 0 are left$/m);
});
