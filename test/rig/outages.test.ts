/** Whatever happens to an interface leaves one gap with its cause, and the agent records on without a restart. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import type { OutageExperiments } from './jobs/outages.ts';
import { counterOf, microsecondLines, type Recorded, readRecorded, stampNs } from './recorded.ts';
import { runJob } from './run-job.ts';

let shared: TemporaryFolder;
let found: Awaited<ReturnType<typeof runJob<OutageExperiments>>>;

beforeAll(async () => {
  shared = temporaryFolder();
  found = await runJob<OutageExperiments>('outages.ts', {
    shared: shared.path,
    timeoutMs: 400_000,
  });
});
afterAll(() => shared[Symbol.dispose]());

function recorded(experiment: keyof OutageExperiments & string, file: string): Recorded {
  found(experiment);
  return readRecorded(join(shared.path, file));
}

function causes({ gaps }: Recorded): readonly string[] {
  return gaps.map(({ bus, cause }) => `${bus} ${cause}`);
}

test('twenty interruptions under traffic', () => {
  const record = recorded('downAndUp', 'down-and-up.wmk');
  expect(causes(record)).toEqual(Array.from({ length: 20 }, () => 'vcan0 interface_down'));
  const { lines, gaps } = record;
  // Frames between every two, and after the last.
  const starts = [...gaps.map(({ fromNs }) => fromNs), stampNs(lines.at(-1) ?? '') + 1n];
  gaps.forEach(({ toNs }, i) => {
    const between = lines.filter((line) => {
      const ns = stampNs(line);
      return ns >= toNs && ns < (starts[i + 1] ?? 0n);
    });
    expect(between.length, `frames after interruption ${i}`).toBeGreaterThan(0);
  });
  expect(record.lost).toEqual({});
});

test('an interface that is missing at the start', () => {
  const record = recorded('missingAtStart', 'missing-at-start.wmk');
  expect(causes(record)).toEqual(['vcan1 interface_missing']);
  expect(record.lines.map((line) => line.split(' ')[2])).toEqual(['100#', '101#']);
});

test('an adapter that is unplugged and plugged in again', () => {
  const record = recorded('replug', 'replug.wmk');
  expect(causes(record)).toEqual(['can0 interface_missing']);
  expect(record.lines.map((line) => line.split(' ')[2])).toEqual(['100#', '101#']);
  const [gap] = record.gaps;
  const [before = '', after = ''] = record.lines;
  expect(stampNs(before) <= (gap?.fromNs ?? 0n) && (gap?.toNs ?? 0n) <= stampNs(after)).toBe(true);
  // Opened as one that could send: closing, speed and opening are all that it was ever told.
  expect(found('replug')).toContain('O');
  expect(found('replug').filter((text) => !/^(C|S6|O)$/.test(text))).toEqual([]);
});

test('a controller that goes off the bus and comes back', () => {
  const record = recorded('busOff', 'bus-off.wmk');
  expect(causes(record)).toEqual(['can0 bus_off']);
  expect(record.busOffs).toBe(1);
  expect(record.lost).toEqual({ can0: { kernelDrops: 0, controllerOverruns: 1 } });
  const frames = record.lines.map((line) => line.split(' ')[2] ?? '');
  expect([frames[0], frames.at(-1)]).toEqual(['100#', '101#']);
  // Overrun, warning, passive, off, active: what the controller said is recorded as frames.
  expect(frames.slice(1, -1).map((frame) => frame.slice(0, 8))).toEqual([
    '2000008C',
    '20000204',
    '20000204',
    '20000040',
    '20000204',
  ]);
});

test('a wall clock that is set loses no frame, and every step is recorded', () => {
  const { lines, clockSteps, lost } = recorded('clockSet', 'clock-set.wmk');
  const { seen, dropped } = found('clockSet');
  expect(lines.map(counterOf)).toEqual(Array.from({ length: 2000 }, (_, i) => i));
  expect(dropped).toBe(0);
  expect(microsecondLines(lines.join('\n'))).toEqual(seen);
  expect(clockSteps).toBe(3);
  expect(lost).toEqual({});
});
