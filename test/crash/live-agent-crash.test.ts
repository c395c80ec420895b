/** ARCHITECTURE.md, "Crash table", agent: a live capture killed at each commit point under traffic, again and again. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CommitPoint } from '../../agent/ports.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { UnitOnTrial } from '../power/unit-on-trial.ts';

/** At which time that each life of a unit reaches the point it is killed, life by life. */
const POINTS: readonly (readonly [CommitPoint, readonly number[]])[] = [
  ['identity-created', [1, 1]],
  ['session-committed', [1, 1, 1]],
  ['streams-committed', [1, 1, 1, 1]],
  ['block-synced', [1, 9, 1, 4]],
  // In its second and third life it dies with the recovered chunk: sealed again, of the same blocks.
  ['bodies-synced', [2, 1, 1, 3]],
  ['chunks-committed', [2, 1, 1, 3]],
  ['statement-committed', [1, 1]],
];

let folder: TemporaryFolder;

beforeAll(() => {
  folder = temporaryFolder();
});
afterAll(() => folder[Symbol.dispose]());

async function killAtPoint(point: CommitPoint, times: readonly number[]): Promise<UnitOnTrial> {
  const own = join(folder.path, point);
  mkdirSync(own);
  const unit = new UnitOnTrial(own, { framesPerSecond: 500, chunkMs: 300, journal: 'kept' });
  for (const nth of times) expect(await killed(unit, point, nth)).toBe('SIGKILL');
  return unit;
}

/**
 * Where a chunk ends just when the traffic begins, it makes the new streams durable and no block has to: then that life
 * never comes to `streams-committed`, ends in order, and another one is begun.
 */
async function killed(unit: UnitOnTrial, point: CommitPoint, nth: number) {
  const lives = point === 'streams-committed' ? 5 : 1;
  let signal: NodeJS.Signals | undefined;
  for (let life = 0; life < lives && signal === undefined; life++) {
    signal = await unit.killAt({ point, nth });
  }
  return signal;
}

test.each(POINTS)(
  'killed at %s, it loses nothing durable, uses nothing twice, and goes on',
  async (point, times) => {
    const unit = await killAtPoint(point, times);
    const found = await unit.stopAndCompare();
    const whole = await unit.compareWhole();
    expect([...found.wrong, ...whole.wrong, ...unit.disk.usedTwice()]).toEqual([]);
    expect(whole.frames).toBeGreaterThan(0);
    if (point === 'bodies-synced') expect(unit.disk.tornTails).toBe(times.length);
  },
);
