/** The search for holes itself: it finds one of any length, and none where a gap is. */
import { expect, test } from 'vitest';
import type { GapCause } from '../../core/chunk-header.ts';
import { RunRecord } from './run-record.ts';
import { uncovered } from './uncovered.ts';

/** 1,000 bursts of two frames, 1 ms apart, each sent within 50 us; the run was killed after the last. */
function killedRun(): RunRecord {
  const run = new RunRecord(0, true);
  for (let i = 1; i <= 1000; i++) {
    run.hear(`sending ${i * 1000} ${i} ${i}`);
    run.hear(`sent ${i * 1000 + 49}`);
  }
  return run;
}

function found(
  kept: readonly number[],
  gap: { readonly fromUs: number; readonly toUs: number; bus?: string; cause?: GapCause },
  run = killedRun(),
): number {
  const { bus = '', cause = 'agent_crashed' } = gap;
  const fromNs = BigInt(gap.fromUs) * 1000n;
  const toNs = BigInt(gap.toUs) * 1000n;
  return uncovered(run, kept, { gaps: [{ bus, cause, fromNs, toNs }], beginsNs: undefined }).length;
}

test('a gap from the newest frame on covers what is missing', () => {
  expect(found([900, 900], { fromUs: 900_000, toUs: 2_000_000 })).toBe(0);
  expect(found([1000, 1000], { fromUs: 1_500_000, toUs: 2_000_000 })).toBe(0);
});

test.each([
  ['begins a millisecond late', { fromUs: 902_000, toUs: 2_000_000 }, 1],
  ['begins 10 ms late', { fromUs: 911_000, toUs: 2_000_000 }, 10],
  ['ends a millisecond early', { fromUs: 900_000, toUs: 999_000 }, 1],
  ['is of one bus', { fromUs: 900_000, toUs: 2_000_000, bus: 'can0' }, 100],
  [
    'has a cause that explains no frames',
    { fromUs: 900_000, toUs: 2_000_000, cause: 'bus_idle' },
    100,
  ],
  ['has no cause', { fromUs: 900_000, toUs: 2_000_000, cause: 'unknown' }, 100],
] as const)('a gap that %s does not', (_, gap, bursts) => {
  expect(found([900, 900], gap)).toBe(bursts);
});

test('the frames of one bus may be missing from an earlier moment than those of the other', () => {
  expect(found([900, 890], { fromUs: 900_000, toUs: 2_000_000 })).toBe(9);
  expect(found([900, 890], { fromUs: 891_000, toUs: 2_000_000 })).toBe(0);
});

test('what a killed sender had only announced must lie before the end of a gap', () => {
  const run = killedRun();
  run.hear('sending 1001000 1001 1001');
  expect(found([1000, 1000], { fromUs: 1_500_000, toUs: 2_000_000 }, run)).toBe(0);
  expect(found([1000, 1000], { fromUs: 900_000, toUs: 1_000_500 }, run)).toBe(1);
});

test('before a log begins it claims nothing', () => {
  const claims = { gaps: [], beginsNs: 501_000_000n };
  expect(uncovered(killedRun(), [0, 0], claims)).toHaveLength(500);
});
