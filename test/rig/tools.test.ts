/** The rig itself: sockets, tools, adapter and clock of the guest are what the other tests take them for. */
import { beforeAll, expect, test } from 'vitest';
import type { ToolExperiments } from './jobs/tools.ts';
import { runJob } from './run-job.ts';

let found: Awaited<ReturnType<typeof runJob<ToolExperiments>>>;

beforeAll(async () => {
  found = await runJob<ToolExperiments>('tools.ts', { timeoutMs: 300_000 });
});

test('every kind of frame goes through a vcan with FD', () => {
  const { sent, seen } = found('frameKinds');
  expect(seen).toEqual(sent);
});

test('cangen counts in the data, and candump misses none', () => {
  const { data, dropped } = found('counters');
  const counted = Array.from({ length: 300 }, (_, i) => littleEndian(i));
  expect({ data, dropped }).toEqual({ data: counted, dropped: 0 });
});

test('canplayer plays a log into the interfaces that it names', () => {
  expect(found('replay')).toEqual(['vcan0 123#01', 'vcan1 0AB#02', 'vcan0 124#03']);
});

test('the serial adapter receives, fails and is unplugged as hardware', () => {
  const { frames, states, written, name, again } = found('adapter');
  expect(frames.slice(0, 3)).toEqual(['123#AABB', '12345678#CC', '123#R4']);
  // Overrun, warning, passive, bus-off: class and first state byte, as linux/can/error.h has them.
  expect(frames.slice(3).map((frame) => frame.slice(0, 13))).toEqual([
    '2000008C#0001',
    '20000204#0004',
    '20000204#0010',
    '20000040#0000',
  ]);
  expect(states).toEqual(['ERROR-WARNING', 'ERROR-PASSIVE', 'BUS-OFF']);
  // Closed, 500 kbit/s, listen only; and after the replug not listen only.
  expect(written.filter((text) => text !== 'C')).toEqual(['S6', 'L', 'S6', 'O']);
  expect(again).toBe(name);
});

test("the guest's wall clock can be set", () => {
  expect(found('clock')).toBe(1);
});

test('a clock that the kernel slews as fast as chrony lets it is not taken for one that was set', () => {
  const { ppm, changes } = found('slewedClock');
  const [fast = 0, slow = 0] = ppm;
  expect(fast).toBeGreaterThan(60_000);
  expect(slow).toBeLessThan(-60_000);
  expect(changes).toEqual([]);
});

function littleEndian(value: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(value);
  return bytes.toString('hex').toUpperCase();
}
