import { expect, test } from 'vitest';
import { Histogram } from '../../agent/histogram.ts';
import { AgentStatus } from '../../agent/status.ts';
import { busyStatus, framesOf, NOW_MS } from './support/statuses.ts';

test('frames are counted for each bus, error frames apart', () => {
  const status = new AgentStatus(0);
  status.countFrames(framesOf(1, 0, 1, 'error'), ['can0', 'can1'], NOW_MS);
  expect(status.buses).toMatchObject([
    { bus: 'can0', frames: 1, errorFrames: 1, lastFrameMs: NOW_MS },
    { bus: 'can1', frames: 2, errorFrames: 0, lastFrameMs: NOW_MS },
  ]);
});

test('an error frame is no sign of life of a bus', () => {
  const status = new AgentStatus(0);
  status.countFrames(framesOf('error'), ['can0'], NOW_MS);
  expect(status.buses[0]?.lastFrameMs).toBeUndefined();
});

test('a link keeps the moment at which its state began', () => {
  const status = busyStatus();
  const [first] = status.buses;
  const block = {
    ...framesOf(),
    clock: { monoNs: 9n, wallNs: BigInt(NOW_MS + 9000) * 1_000_000n, bootNs: 9n },
    losses: [],
    isFull: false,
  };
  const wallNs = block.clock.wallNs;
  status.observe({ ...block, links: [{ bus: 0, beforeRow: 0, wallNs, state: 'up' }] }, []);
  expect(first).toMatchObject({ link: 'up', linkSinceMs: NOW_MS });
  status.observe({ ...block, links: [{ bus: 0, beforeRow: 0, wallNs, state: 'down' }] }, []);
  expect(first).toMatchObject({ link: 'down', linkSinceMs: NOW_MS + 9000 });
});

test('a round without frames counts as one', () => {
  expect(busyStatus().rounds).toBe(1);
});

test('a problem keeps its beginning until it is over', () => {
  const status = new AgentStatus(0);
  status.failed('STORAGE_FULL', 'the disk is full', 10);
  status.failed('STORAGE_FULL', 'the disk is full', 20);
  expect(status.problems()).toEqual([
    { code: 'STORAGE_FULL', message: 'the disk is full', sinceMs: 10 },
  ]);
  status.succeeded('STORAGE_FULL');
  expect(status.problems()).toEqual([]);
});

test('a histogram puts a value on its bound below it, and what is above all into the last bucket', () => {
  const histogram = new Histogram([1, 2]);
  for (const value of [0.5, 1, 1.5, 2, 3]) histogram.observe(value);
  expect(histogram.counts).toEqual([2, 2, 1]);
  expect([histogram.count, histogram.sum, histogram.max]).toEqual([5, 8, 3]);
});
