/** A disk that takes half a second for each sync, under the traffic of two full buses: killed, and told to stop. */
import { expect, test } from 'vitest';
import { slowSync } from '../agent/support/slow-sync.ts';
import { temporaryFolder } from '../agent/support/temporary-folder.ts';
import { seeded } from './seeded.ts';
import { UnitOnTrial } from './unit-on-trial.ts';

const TRAFFIC = { framesPerSecond: 9000, chunkMs: 1000, journal: 'kept' } as const;
const SYNC_MS = 500;

test('killed on a slow disk, it keeps what it called durable, and gaps cover the rest', async () => {
  using folder = temporaryFolder();
  const before = slowSync(folder.path, SYNC_MS);
  const unit = new UnitOnTrial(folder.path, { ...TRAFFIC, before });
  const random = seeded(20_261_127);
  for (let kill = 0; kill < 4; kill++) {
    // Anywhere in a block, and in a chunk's commit, which is several syncs.
    await unit.killAfter({ watermarks: 2 + kill, delayMs: random(4 * SYNC_MS) });
  }
  const { wrong, losses, recoveredChunks } = await unit.stopAndCompare();
  expect(wrong).toEqual([]);
  // Something was tried: each kill took what waited for a sync, and chunks were made of blocks.
  expect(losses.filter(({ frames }) => frames > 100).length).toBeGreaterThan(2);
  expect(recoveredChunks).toBeGreaterThan(1);
}, 600_000);
