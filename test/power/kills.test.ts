/**
 * The agent is killed at random moments under traffic: what it called durable is in the evidence, and what was sent and
 * is not there lies in a gap that says why.
 */
import { expect, test } from 'vitest';
import { temporaryFolder } from '../agent/support/temporary-folder.ts';
import { killAgents } from './random-kills.ts';
import { reportLines } from './report-lines.ts';
import { UnitOnTrial } from './unit-on-trial.ts';

const TRAFFIC = { framesPerSecond: 1000, chunkMs: 400 } as const;
const SEED = 20_261_127;

test('100 kills lose nothing that was durable and leave no hole without a gap, and everything verifies', async () => {
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

test('with a driver that claims to have read what it has not, the gaps do not cover the holes', async () => {
  using folder = temporaryFolder();
  const options = { ...TRAFFIC, journal: 'kept', claimsToHaveRead: 'everything' } as const;
  const unit = new UnitOnTrial(folder.path, options);
  // The reader naps for up to 10 ms: one take in a row of them leaves frames behind it.
  for (let kill = 0; kill < 6; kill++) await unit.killAfter({ watermarks: 4 + kill, delayMs: 0 });
  const { wrong } = await unit.stopAndCompare();
  expect(wrong.length).toBeGreaterThan(0);
  expect(wrong.filter((what) => !what.includes('no gap is there'))).toEqual([]);
});
