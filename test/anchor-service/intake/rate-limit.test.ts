import { expect, test } from 'vitest';
import { RateLimit } from '../../../anchor-service/intake/rate-limit.ts';

function limitAt(perSecond: number, burst: number) {
  const clock = { ms: 0, nowMs: () => clock.ms };
  return { clock, limit: new RateLimit({ perSecond, burst, clock }) };
}

test('a vehicle has its burst, then as many as come back', () => {
  const { clock, limit } = limitAt(10, 3);
  expect([1, 2, 3, 4].map(() => limit.take('a'))).toEqual([0, 0, 0, 100]);
  clock.ms = 99;
  expect(limit.take('a')).toBeGreaterThan(0);
  clock.ms = 101;
  expect(limit.take('a')).toBe(0);
  expect(limit.take('a')).toBeGreaterThan(0);
});

test('tokens come back up to the burst and no further', () => {
  const { clock, limit } = limitAt(1000, 2);
  clock.ms = 3_600_000;
  expect([1, 2, 3].map(() => limit.take('a') > 0)).toEqual([false, false, true]);
});

test('one vehicle takes nothing from another', () => {
  const { limit } = limitAt(1, 1);
  for (let i = 0; i < 1000; i++) limit.take('loud');
  expect(limit.take('quiet')).toBe(0);
});

test('names that were made up are forgotten', () => {
  const { clock, limit } = limitAt(10, 5);
  for (let i = 0; i < 100_000; i++) {
    clock.ms += 1;
    limit.take(`made up ${i}`);
  }
  expect(limit.size).toBeLessThan(20_000);
});

test('a clock that stands still or goes back gives nothing', () => {
  const { clock, limit } = limitAt(10, 1);
  clock.ms = 1000;
  limit.take('a');
  clock.ms = 0;
  expect(limit.take('a')).toBeGreaterThan(0);
});
