/** The agent's event loop stands still: what is lost then is nothing, or it is counted. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import type { OverloadExperiments } from './jobs/overload.ts';
import { byBus, counterOf, readRecorded, stampNs, verdictOn } from './recorded.ts';
import { runJob } from './run-job.ts';

const BUSES = ['vcan0', 'vcan1'];
let shared: TemporaryFolder;
let found: Awaited<ReturnType<typeof runJob<OverloadExperiments>>>;

beforeAll(async () => {
  shared = temporaryFolder();
  found = await runJob<OverloadExperiments>('overload.ts', {
    shared: shared.path,
    timeoutMs: 120_000,
  });
});
afterAll(() => shared[Symbol.dispose]());

// Side by side, for people; what must hold is below.
afterAll(() => {
  for (const name of ['enlarged', 'small', 'socketcan'] as const) {
    const { lines, lost, sentPerBus } = recorded(name);
    const sent = sentPerBus * BUSES.length;
    const drops = Object.values(lost).reduce((sum, { kernelDrops }) => sum + kernelDrops, 0);
    process.stdout.write(
      `${name}: ${sent} sent, ${lines.length} recorded, ${sent - lines.length} lost, ${drops} of them counted\n`,
    );
  }
});

function recorded(name: keyof OverloadExperiments & string) {
  const { sentPerBus, deviceKey } = found(name);
  const path = join(shared.path, `${name}.wmk`);
  return { ...readRecorded(path), sentPerBus, verdict: verdictOn(path, deviceKey) };
}

test('with the enlarged buffer it loses nothing', () => {
  const { lines, lost, gaps, sentPerBus, verdict } = recorded('enlarged');
  for (const bus of BUSES) expect(byBus(lines)[bus]?.length).toBe(sentPerBus);
  expect(lost).toEqual({});
  expect(gaps.filter(({ cause }) => cause === 'overflow')).toEqual([]);
  expect(verdict('LOSS')).toMatchObject({ verdict: 'PASSED' });
});

test('with a small buffer it counts exactly what it lost, and says between which times', () => {
  const { lines, lost, gaps, sentPerBus, verdict } = recorded('small');
  const told: [string, number][] = [];
  for (const bus of BUSES) {
    const arrived = byBus(lines)[bus] ?? [];
    const drops = sentPerBus - arrived.length;
    expect(drops).toBeGreaterThan(0);
    expect(lost[bus]).toEqual({ kernelDrops: drops, controllerOverruns: 0 });
    told.push([bus, drops]);
    const overflows = gaps.filter((gap) => gap.bus === bus && gap.cause === 'overflow');
    // Each hole in the counter lies in a gap between the frames on either side of it.
    const holes = arrived.flatMap((line, i) => {
      const before = arrived[i - 1];
      // The frames before and after the burst count from 0, too.
      const counts = before === undefined || i === 1 || i === arrived.length - 1;
      return counts || counterOf(line) === counterOf(before) + 1 ? [] : [[before, line] as const];
    });
    for (const [before, after] of holes) {
      const covers = overflows.some(
        ({ fromNs, toNs }) => fromNs <= stampNs(before) && toNs >= stampNs(after),
      );
      expect(covers, `an overflow between\n${before}\n${after}`).toBe(true);
    }
    expect(overflows.length).toBeGreaterThan(0);
  }
  const { verdict: word, reason, values } = verdict('LOSS');
  expect({ word, reason }).toEqual({ word: 'INDETERMINATE', reason: 'frames_lost' });
  const inReport = values['lost'] as [string, number, number, number, number][];
  const sums = BUSES.map((bus): [string, number] => [
    bus,
    inReport.filter(([of]) => of === bus).reduce((sum, [, , , drops]) => sum + drops, 0),
  ]);
  expect(sums).toEqual(told);
});

test('the socketcan driver loses, and its evidence says that it does not count', () => {
  const { lines, sentPerBus, verdict } = recorded('socketcan');
  for (const bus of BUSES) expect(byBus(lines)[bus]?.length).toBeLessThan(sentPerBus);
  expect(verdict('LOSS')).toMatchObject({ verdict: 'INDETERMINATE', reason: 'not_counted' });
});
