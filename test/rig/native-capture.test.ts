/** The native capture on the kernel's CAN sockets: what it records is what candump sees, whatever happens to a bus. */
import { beforeAll, expect, test } from 'vitest';
import type { CaptureExperiments } from './jobs/native-capture.ts';
import { runJob } from './run-job.ts';

let found: Awaited<ReturnType<typeof runJob<CaptureExperiments>>>;

beforeAll(async () => {
  found = await runJob<CaptureExperiments>('native-capture.ts', { timeoutMs: 400_000 });
});

test('records what candump records: every kind of frame, in order, stamps to the microsecond', () => {
  expect(found('witnessed')).toEqual({
    same: [true, true],
    counts: [609, 609],
    dropped: 0,
    lost: [0, 0],
    states: ['vcan0 up', 'vcan1 up'],
  });
});

test('loses nothing while the event loop stands still for a second', () => {
  expect(found('blocked')).toMatchObject({ delivered: [4500, 4500], lost: [0, 0] });
});

test('counts every frame that small buffers lose', () => {
  const { delivered, lost } = found('overrun');
  expect(lost).toBeGreaterThan(0);
  expect(delivered + lost).toBe(5000);
});

test('records whatever cangen makes up', () => {
  const { seen, dropped, recorded } = found('mixed');
  expect([dropped, recorded.length]).toEqual([0, 2000]);
  expect(recorded).toEqual(seen);
  for (const kind of [/ [0-9A-F]{8}#/, /#R/, /##4/, /##5/, /##6/, /##7/]) {
    expect(recorded.some((line) => kind.test(line))).toBe(true);
  }
});

test('counts losses where they happened', () => {
  const { data, holes } = found('holes');
  // The counter of the frames, and the one that would have come after the last.
  const numbers = [...data.map((hex) => Buffer.from(hex, 'hex').readUInt32LE()), 20_000];
  const missing = numbers.map((number, i) => number - (numbers[i - 1] ?? -1) - 1);
  const told = numbers.map((_, i) =>
    holes.reduce((sum, [at, drops]) => (at === i ? sum + drops : sum), 0),
  );
  expect(told).toEqual(missing);
  expect(holes.length).toBeGreaterThan(1);
});

test('the kernel filters as configured, and lets every error frame in', () => {
  expect(found('filters')).toEqual([
    '100#01',
    '1FF#02',
    '12345678#05',
    '20000004#0001000000000000',
  ]);
});

test('takes any filter', () => {
  expect(found('anyFilter')).toBe('no crash');
});

test('an interruption is told even when the kernel had to throw its news away', () => {
  expect(found('lostNews')).toEqual({
    states: ['vcan0 up', 'vcan0 down', 'vcan0 up'],
    accounted: 1001,
  });
});

test('tells each of 20 interruptions under traffic, and records on', () => {
  const cycle = Array.from({ length: 20 }, () => ['vcan0 down', 'vcan0 up']).flat();
  expect(found('downAndUp')).toEqual(['vcan0 up', ...cycle]);
});

test('tells an interruption that is over before it can look', () => {
  const cycle = Array.from({ length: 20 }, () => ['vcan0 down', 'vcan0 up']).flat();
  expect(found('quickDownAndUp')).toEqual(['vcan0 up', ...cycle]);
});

test('opens an interface when it appears, and again under a new index', () => {
  const visit = ['vcan7 down', 'vcan7 up', 'vcan7 down', 'vcan7 missing'];
  expect(found('comesAndGoes')).toEqual({
    states: [
      ['vcan7 missing'],
      visit,
      visit,
      ['vcan7 down', 'vcan7 missing', 'vcan7 down', 'vcan7 up'],
    ],
    frames: ['100#00', '101#00', '102#00'],
    lost: [0],
  });
});

test('an interface under another name is another interface', () => {
  expect(found('renamed')).toEqual({
    states: ['vcan0 up', 'vcan0 down', 'vcan0 missing', 'vcan0 down', 'vcan0 up'],
    frames: ['101#00'],
  });
});

test('a controller tells listen-only, bus-off, unplugged and plugged in again', () => {
  const { probe, access, state, states, frames } = found('adapter');
  expect(probe).toMatchObject({ isPresent: true, isCan: true, isUp: true, isListenOnly: true });
  expect({ access, state }).toEqual({ access: 'listen_only', state: 'BUS-OFF' });
  expect(states).toEqual(['up', 'bus_off', 'down', 'missing', 'down', 'up']);
  expect(frames).toEqual(['123#AABB', '2000008C#0001', '20000040#0000', '124#CCDD']);
});

test('refuses what is no CAN interface, and waits for one that is missing', () => {
  const { codes, probe } = found('refused');
  expect(codes).toEqual(['CAPTURE_NOT_CAN', 'opened']);
  expect(probe).toMatchObject({ isPresent: false, canState: -1 });
});

test('a process that exits with an open capture does not crash', () => {
  expect(found('exit')).toEqual({ status: 7, signal: null });
});
