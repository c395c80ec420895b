import { expect, test } from 'vitest';
import { placeOf } from '../../../agent/spool/place.ts';
import { uncovered } from '../../../agent/spool/uncovered.ts';

const chunks = (log: number, first: number, last: number) => ({
  first: placeOf(log, first),
  last: placeOf(log, last),
});

test('what no span covers is what is left between them and behind them, log by log', () => {
  const logs = [chunks(0, 0, 99), chunks(1, 0, 9), chunks(2, 5, 9)];
  const covered = [chunks(0, 0, 9), chunks(0, 10, 19), chunks(0, 30, 39), chunks(2, 5, 9)];
  expect(uncovered(logs, covered)).toEqual([chunks(0, 20, 29), chunks(0, 40, 99), chunks(1, 0, 9)]);
});

test('without spans all is left, and spans over everything leave nothing', () => {
  expect(uncovered([chunks(0, 3, 4)], [])).toEqual([chunks(0, 3, 4)]);
  expect(uncovered([chunks(0, 3, 4)], [chunks(0, 0, 9)])).toEqual([]);
  expect(uncovered([], [chunks(0, 0, 9)])).toEqual([]);
});

test('a span over chunks that are no longer there covers the rest of it', () => {
  expect(uncovered([chunks(0, 5, 12)], [chunks(0, 0, 9)])).toEqual([chunks(0, 10, 12)]);
});

test('places ascend like logs and numbers, and there is none beyond a safe integer', () => {
  expect(placeOf(0, 0xffff_ffff)).toBeLessThan(placeOf(1, 0));
  expect(() => placeOf(2 ** 20 + 1, 0)).toThrow(RangeError);
  expect(() => placeOf(0, 2 ** 32)).toThrow(RangeError);
});
