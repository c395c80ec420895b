/** The agent's event loop stands still: what is lost then is nothing, or it is counted. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gap, MAX_GAPS } from '../../core/chunk-header.ts';
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
    timeoutMs: 400_000,
  });
});
afterAll(() => shared[Symbol.dispose]());

// Side by side, for people; what must hold is below.
afterAll(() => {
  for (const name of ['enlarged', 'small', 'stopped', 'socketcan'] as const) {
    const { lines, lost, sentPerBus } = recorded(name);
    const sent = sentPerBus * BUSES.length;
    const drops = Object.values(lost).reduce((sum, { kernelDrops }) => sum + kernelDrops, 0);
    process.stdout.write(
      `${name}: ${sent} sent, ${lines.length} recorded, ${sent - lines.length} lost, ${drops} of them counted\n`,
    );
  }
});

function recorded(name: keyof OverloadExperiments & string) {
  const { deviceKey, ...sent } = found(name);
  const path = join(shared.path, `${name}.wmk`);
  return { ...readRecorded(path), ...sent, verdict: verdictOn(path, deviceKey) };
}

/** The frames before and behind the burst; cangen's are 123. */
function isMarker(line: string): boolean {
  return line.includes(' 124#');
}

/** Of a frame among those that were sent on its bus, from 0. */
function placeOf(line: string, sentPerBus: number): number {
  if (!isMarker(line)) return 1 + counterOf(line);
  return counterOf(line) === 0 ? 0 : sentPerBus - 1;
}

/** The last of so many gaps covers the rest, of any bus and cause (spec/chunk-header.md, "Gaps"). */
function isOverflowOn(bus: string, gap: Gap): boolean {
  return (
    (gap.bus === bus && gap.cause === 'overflow') || (gap.bus === '' && gap.cause === 'unknown')
  );
}

test('with the enlarged buffer it loses nothing', () => {
  const { lines, lost, gaps, sentPerBus, verdict } = recorded('enlarged');
  for (const bus of BUSES) expect(byBus(lines)[bus]?.length).toBe(sentPerBus);
  expect(lost).toEqual({});
  expect(gaps.filter(({ cause }) => cause === 'overflow')).toEqual([]);
  expect(verdict('LOSS')).toMatchObject({ verdict: 'PASSED' });
});

test.each(['small', 'stopped'] as const)(
  'with a small buffer it counts exactly what it lost, and says between which times: %s',
  (name) => {
    const run = recorded(name);
    const { headers, lines, lost, gaps, sentPerBus, verdict } = run;
    const burstEndNs = BigInt(run.burstEndMs) * 1_000_000n;
    const told: [string, number][] = [];
    for (const bus of BUSES) {
      const arrived = byBus(lines)[bus] ?? [];
      const drops = sentPerBus - arrived.length;
      expect(drops).toBeGreaterThan(0);
      expect(lost[bus]).toEqual({ kernelDrops: drops, controllerOverruns: 0 });
      told.push([bus, drops]);
      const overflows = gaps.filter((gap) => isOverflowOn(bus, gap));
      // Each hole lies in a gap between the frames on either side of it, up to the end of the burst and behind it.
      const places = arrived.map((line) => placeOf(line, sentPerBus));
      expect(places[0]).toBe(0);
      const holes = places.flatMap((place, i) => {
        const next = places[i + 1] ?? sentPerBus;
        return next === place + 1 ? [] : [[arrived[i] ?? '', arrived[i + 1]] as const];
      });
      if (name === 'stopped') {
        // What the socket held came first, so the one hole is the largest and reaches the end of the burst.
        expect(holes.map(([, after]) => after === undefined || isMarker(after))).toEqual([true]);
      }
      for (const [before, after] of holes) {
        // A loss that no frame of the burst tells of is told later, by the socket itself or by the frame behind.
        const isTail = after === undefined || isMarker(after);
        const until = isTail ? burstEndNs : stampNs(after);
        const covers = overflows.some(
          ({ fromNs, toNs }) => fromNs <= stampNs(before) && toNs >= until,
        );
        expect(covers, `an overflow between\n${before}\n${after ?? 'the end of the burst'}`).toBe(
          true,
        );
      }
      expect(overflows.length).toBeGreaterThan(0);
    }
    const { verdict: word, reason, values } = verdict('LOSS');
    expect({ word, reason }).toEqual({ word: 'INDETERMINATE', reason: 'frames_lost' });
    const inReport = values['lost'] as [string, number, number, number, number, unknown][];
    const sums = BUSES.map((bus): [string, number] => [
      bus,
      inReport.filter(([of]) => of === bus).reduce((sum, [, , , drops]) => sum + drops, 0),
    ]);
    expect(sums).toEqual(told);
    const inHeaders = headers.flatMap(({ log, seq, buses, gaps: parts }) =>
      buses
        .filter(({ kernelDrops }) => kernelDrops > 0)
        .map(({ bus, kernelDrops, controllerOverruns }) => {
          const overflows = parts.filter((gap) => gap.bus === bus && gap.cause === 'overflow');
          if (parts.length < MAX_GAPS) expect(overflows).not.toEqual([]);
          const times = overflows.map(({ fromNs, toNs }) => [`${fromNs}`, `${toNs}`]);
          return [bus, log, seq, kernelDrops, controllerOverruns, times];
        }),
    );
    expect(inReport).toEqual(inHeaders);
  },
);

test('the socketcan driver loses, and its evidence says that it does not count', () => {
  const { lines, sentPerBus, verdict } = recorded('socketcan');
  for (const bus of BUSES) expect(byBus(lines)[bus]?.length).toBeLessThan(sentPerBus);
  expect(verdict('LOSS')).toMatchObject({ verdict: 'INDETERMINATE', reason: 'not_counted' });
});
