import { expect, test } from 'vitest';
import { ClockWatch } from '../../../agent/record/clock-watch.ts';

const MS = 1_000_000n;
const start = { monoNs: 50n * MS, wallNs: 1_795_000_000_000n * MS, bootNs: 90n * MS };

function after(monoMs: bigint, changes: { wallMs?: bigint; suspendedMs?: bigint } = {}) {
  const bootNs = monoMs * MS + (changes.suspendedMs ?? 0n) * MS;
  return {
    monoNs: start.monoNs + monoMs * MS,
    bootNs: start.bootNs + bootNs,
    wallNs: start.wallNs + bootNs + (changes.wallMs ?? 0n) * MS,
  };
}

test('a clock that runs has changed in nothing', () => {
  const watch = new ClockWatch(start);
  expect(watch.read(after(80n))).toEqual({ stepNs: 0n, suspendedNs: 0n });
  expect(watch.read(after(160n, { wallMs: 1n }))).toEqual({ stepNs: 0n, suspendedNs: 0n });
});

test.each([
  ['an hour forward', 3_600_000n],
  ['an hour back', -3_600_000n],
  ['from 1970 to 2026', 1_795_000_000_000n],
])('a wall clock that is set %s is a step of so much', (_, wallMs) => {
  const watch = new ClockWatch(start);
  expect(watch.read(after(80n, { wallMs })).stepNs).toBe(wallMs * MS);
  expect(watch.read(after(160n, { wallMs })).stepNs).toBe(0n);
});

test('a suspension is no step of the wall clock', () => {
  const watch = new ClockWatch(start);
  const changed = watch.read(after(80n, { suspendedMs: 7_200_000n }));
  expect(changed).toEqual({ stepNs: 0n, suspendedNs: 7_200_000n * MS });
});

test('a clock set while suspended is both', () => {
  const watch = new ClockWatch(start);
  const changed = watch.read(after(80n, { suspendedMs: 5000n, wallMs: -900n }));
  expect(changed).toEqual({ stepNs: -900n * MS, suspendedNs: 5000n * MS });
});
