/** What the agent records from real sockets is what candump saw beside it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { witnessmark } from '../e2e/command.ts';
import type { CaptureExperiments } from './jobs/capture.ts';
import { byBus, microsecondLines, readRecorded } from './recorded.ts';
import { runJob } from './run-job.ts';

let shared: TemporaryFolder;
let found: Awaited<ReturnType<typeof runJob<CaptureExperiments>>>;

beforeAll(async () => {
  shared = temporaryFolder();
  found = await runJob<CaptureExperiments>('capture.ts', {
    shared: shared.path,
    timeoutMs: 600_000,
  });
}, 620_000);
afterAll(() => shared[Symbol.dispose]());

describe.each([
  ['rav4', 98_800],
  ['kona', 39_546],
] as const)('%s', (name, frames) => {
  test('comes out of the evidence as candump saw it, to the microsecond', async () => {
    expect(found(name).stretch).toBeGreaterThan(0);
    const seen = readFileSync(join(shared.path, `${name}.log`), 'latin1');
    const out = join(shared.path, `${name}.candump`);
    const bundle = join(shared.path, `${name}.wmk`);
    const args = ['extract', bundle, '--format', 'candump', '--out', out];
    expect((await witnessmark(args, { cwd: shared.path })).status).toBe(0);
    const recorded = byBus(microsecondLines(readFileSync(out, 'latin1')));
    const witnessed = byBus(microsecondLines(seen));
    expect(Object.keys(recorded).sort()).toEqual(['vcan0', 'vcan1']);
    for (const [bus, lines] of Object.entries(witnessed)) {
      // Where they part is enough to see; the difference of two long lists is not.
      const parts = lines.findIndex((line, i) => line !== recorded[bus]?.[i]);
      expect([recorded[bus]?.[parts], recorded[bus]?.length]).toEqual([lines[parts], lines.length]);
    }
    expect(Object.values(witnessed).flat().length).toBe(frames);
  });

  test('is recorded without a loss, which the headers say', () => {
    const { lost, gaps } = readRecorded(join(shared.path, `${name}.wmk`));
    const drops = Object.values(lost).map(({ kernelDrops }) => kernelDrops);
    expect(drops.filter((count) => count > 0)).toEqual([]);
    expect(gaps.filter(({ cause }) => cause === 'overflow')).toEqual([]);
  });
});
