import { expect, test } from 'vitest';
import { ChainClock } from '../../anchor-service/chain-clock.ts';

const DAY_MS = 86_400_000;

test('a slow clock is as late as the newest final block, and a fast one is left alone', () => {
  let wallMs = 1_000_000_000;
  const clock = new ChainClock({ nowMs: () => wallMs });
  expect(clock.nowMs()).toBe(wallMs);
  clock.sawFinal(1_000_600);
  expect(clock.nowMs()).toBe(1_000_600_000);
  // Final blocks do not go back; an endpoint that is behind says nothing new.
  clock.sawFinal(1_000_300);
  expect(clock.nowMs()).toBe(1_000_600_000);
  wallMs = 1_000_900_000;
  expect(clock.nowMs()).toBe(wallMs);
});

test('a block of the far future moves the time by a day and no more', () => {
  const clock = new ChainClock({ nowMs: () => 5000 });
  clock.sawFinal(10_000_000_000);
  expect(clock.nowMs()).toBe(5000 + DAY_MS);
});
