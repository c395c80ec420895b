import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SkippedLines } from '../../../agent/ports.ts';
import { CAN_RTR_FLAG, type Frame } from '../../../core/frame.ts';
import { MAX_LEAF_COUNT } from '../../../core/leaf.ts';
import { blocksOf, cut, frameAtMs, framesAtMs, type KeptSlice } from '../support/blocks.ts';

const DAY_MS = 86_400_000;
const NS_PER_MS = 1_000_000n;

function cutAt(...times: readonly number[]): readonly KeptSlice[] {
  return cut(blocksOf(framesAtMs(...times), 4096));
}

/** [start, end] in milliseconds. */
function wallMs(slices: readonly KeptSlice[]): readonly (readonly number[])[] {
  return slices.map((slice) => [
    Number(slice.wallStartNs / NS_PER_MS),
    Number(slice.wallEndNs / NS_PER_MS),
  ]);
}

function lines(slices: readonly KeptSlice[]): readonly (readonly number[])[] {
  return slices.map((slice) => slice.frames.map((frame) => frame.cursor));
}

function skippedAt(line: number, count = 1): SkippedLines {
  return { count, firstLine: line, firstReason: 'CANDUMP_TIME' };
}

/** One monotonic clock runs through a session: each chunk starts where the one before ended, or a gap says why not. */
function expectOneClock(slices: readonly KeptSlice[]): void {
  slices.forEach((slice, i) => {
    const before = slices[i - 1];
    expect(slice.monoEndNs - slice.monoStartNs).toBe(slice.wallEndNs - slice.wallStartNs);
    if (before === undefined) return;
    const silent = slice.gaps.reduce((sum, gap) => sum + (gap.toNs - gap.fromNs), 0n);
    expect(slice.monoStartNs - before.monoEndNs).toBe(silent);
  });
}

describe('a chunk', () => {
  test('starts with the first frame and ends after its duration, whatever comes late', () => {
    const slices = cutAt(5000, 5999.999, 6000, 6500, 6999, 7000.001);
    expect(lines(slices)).toEqual([[1, 2], [3, 4, 5], [6]]);
    expect(wallMs(slices)).toEqual([
      [5000, 6000],
      [6000, 7000],
      [7000, 7000],
    ]);
    expectOneClock(slices);
  });

  test('keeps the grid over a silence shorter than a chunk', () => {
    const slices = cutAt(0, 1999, 2100);
    expect(wallMs(slices)).toEqual([
      [0, 1000],
      [1000, 2000],
      [2000, 2100],
    ]);
    expect(slices.flatMap((slice) => slice.gaps)).toEqual([]);
  });

  test('after a longer silence starts with the frame that ends it, and names the gap', () => {
    const slices = cutAt(0, 500, 2000, 2999, 9000);
    expect(wallMs(slices)).toEqual([
      [0, 1000],
      [2000, 3000],
      [9000, 9000],
    ]);
    expect(slices.map((slice) => slice.gaps)).toEqual([
      [],
      [{ bus: '', fromNs: 1000n * NS_PER_MS, toNs: 2000n * NS_PER_MS, cause: 'unknown' }],
      [{ bus: '', fromNs: 3000n * NS_PER_MS, toNs: 9000n * NS_PER_MS, cause: 'unknown' }],
    ]);
    expectOneClock(slices);
  });

  test('keeps frames that step back by no more than its duration, in their order', () => {
    const slices = cutAt(5000, 5900, 5100, 4000, 5950);
    expect(lines(slices)).toEqual([[1, 2, 3, 4, 5]]);
    expect(slices[0]?.frames[3]?.timeNs).toBe(4000n * NS_PER_MS);
    expect(slices[0]?.clockSteps).toEqual([]);
    expect(wallMs(slices)).toEqual([[5000, 5950]]);
  });

  test('ends at its latest stamp when the clock steps back by more, and the next says by how much', () => {
    const slices = cutAt(5000, 5600, 5300, 3999, 4500);
    expect(lines(slices)).toEqual([
      [1, 2, 3],
      [4, 5],
    ]);
    expect(wallMs(slices)).toEqual([
      [5000, 5600],
      [3999, 4500],
    ]);
    expect(slices.map((slice) => slice.clockSteps)).toEqual([
      [],
      [{ monoNs: 5600n * NS_PER_MS, stepNs: -1601n * NS_PER_MS }],
    ]);
    expectOneClock(slices);
  });

  test('takes a jump by days, and from 1970 to now, for a clock that was set', () => {
    const now = 1_700_000_000_000;
    const slices = cutAt(100, 200, now, now + 500, now + 20 * DAY_MS, 300);
    expect(lines(slices)).toEqual([[1, 2], [3, 4], [5], [6]]);
    expect(
      slices.flatMap((slice) => slice.clockSteps.map((step) => Number(step.stepNs) / 1e6)),
    ).toEqual([now - 200, 20 * DAY_MS - 500, 300 - now - 20 * DAY_MS]);
    expect(slices.flatMap((slice) => slice.gaps)).toEqual([]);
    expectOneClock(slices);
  });

  test('takes a silence of a week for a silence', () => {
    const slices = cutAt(0, 7 * DAY_MS);
    expect(slices[1]?.gaps[0]?.toNs).toBe(BigInt(7 * DAY_MS) * NS_PER_MS);
    expect(slices[1]?.clockSteps).toEqual([]);
  });

  test('names its last line, so that a replay goes on behind it', () => {
    expect(cutAt(0, 100, 1000, 1100, 2500).map((slice) => slice.cursor)).toEqual([2, 4, 5]);
  });

  test('is the last of its session exactly when the source ended in order', () => {
    expect(cutAt(0, 1000, 2000).map((slice) => slice.state)).toEqual([
      'recording',
      'recording',
      'shutdown',
    ]);
  });

  test('is none without frames', () => {
    expect(cut([], 1000, skippedAt(1))).toEqual([]);
  });

  test('that follows another session says how that one ended', () => {
    const before = { wallEndNs: 2000n * NS_PER_MS, cause: 'agent_crashed' } as const;
    const slices = cut(blocksOf(framesAtMs(2500, 3500), 10), 1000, undefined, before);
    expect(slices.map((slice) => slice.gaps)).toEqual([
      [{ bus: '', fromNs: before.wallEndNs, toNs: 2500n * NS_PER_MS, cause: 'agent_crashed' }],
      [],
    ]);
  });
});

describe('a full chunk', () => {
  const full = Array.from({ length: MAX_LEAF_COUNT }, (_, i) => frameAtMs(i / 1000, i + 1));

  test('is cut where the next frame stands', () => {
    const slices = cut(blocksOf([...full, frameAtMs(200, full.length + 1)], 4096));
    expect(slices.map((slice) => slice.frames.length)).toEqual([MAX_LEAF_COUNT, 1]);
    expect(wallMs(slices)).toEqual([
      [0, 200],
      [200, 200],
    ]);
    expectOneClock(slices);
  });

  test('is no clock step when the next frame stands before its start', () => {
    const late = frameAtMs(-0.5, full.length + 1, { timeNs: -500_000n });
    const slices = cut(blocksOf([...full, late], 4096));
    expect(slices.map((slice) => slice.frames.length)).toEqual([MAX_LEAF_COUNT, 1]);
    expect(slices.flatMap((slice) => slice.clockSteps)).toEqual([]);
    expect(slices[1]?.frames[0]?.timeNs).toBe(-500_000n);
    expectOneClock(slices);
  });
});

describe('skipped lines', () => {
  test('belong to the chunk of the frame that follows them, and at the end to the last', () => {
    const frames = [frameAtMs(0, 1), frameAtMs(100, 3), frameAtMs(1000, 6), frameAtMs(1100, 7)];
    const skipped = new Map([
      [1, skippedAt(2)],
      [2, skippedAt(4, 2)],
    ]);
    const slices = cut(blocksOf(frames, 4096, skipped), 1000, skippedAt(8));
    expect(slices.map((slice) => slice.skipped)).toEqual([
      skippedAt(2),
      { ...skippedAt(4), count: 3 },
    ]);
  });

  test('are counted once when a replay goes on behind any chunk', () => {
    const frames = framesAtMs(0, 500, 1000, 1500, 2000);
    const skipped = new Map(frames.map((_, i) => [i, skippedAt(i + 1)] as const));
    const whole = cut(blocksOf(frames, 3, skipped));
    for (let chunk = 0; chunk < whole.length; chunk++) {
      const done = whole.slice(0, chunk + 1);
      const from = frames.findIndex((frame) => frame.cursor > (done.at(-1)?.cursor ?? 0));
      const left = from < 0 ? [] : frames.slice(from);
      const rest = cut(
        blocksOf(left, 3, new Map(left.map((_, i) => [i, skippedAt(from + i + 1)]))),
      );
      const total = [...done, ...rest].reduce((sum, slice) => sum + slice.skipped.count, 0);
      expect(total).toBe(frames.length);
    }
  });
});

const steps = fc.oneof(
  { arbitrary: fc.integer({ min: 0, max: 300 }), weight: 20 },
  { arbitrary: fc.integer({ min: -1500, max: 4000 }), weight: 3 },
  { arbitrary: fc.constantFrom(-DAY_MS, 30 * DAY_MS, 3 * DAY_MS), weight: 1 },
);
const drives = fc
  .array(fc.tuple(steps, fc.nat(255), fc.boolean()), { minLength: 1, maxLength: 120 })
  .map((moves) => {
    let ms = 1_700_000_000_000;
    return moves.map(([step, byte, remote], i): Frame => {
      ms += step;
      return frameAtMs(ms, i + 1, {
        id: remote ? 0x123 + CAN_RTR_FLAG : 0x123,
        data: remote ? new Uint8Array(0) : Uint8Array.of(byte, i & 255),
      });
    });
  });

test('blocks of any size give the same chunks', () => {
  fc.assert(
    fc.property(drives, fc.array(fc.nat(119)), (frames, marks) => {
      const skipped = new Map(marks.map((at) => [at, skippedAt(at + 1)] as const));
      const [ones, sevens, all] = [1, 7, 4096].map((size) => cut(blocksOf(frames, size, skipped)));
      expect(sevens).toEqual(ones);
      expect(all).toEqual(ones);
    }),
  );
});

test('chunks hold every frame once, in recorded order, on one monotonic clock', () => {
  fc.assert(
    fc.property(drives, (frames) => {
      const slices = cut(blocksOf(frames, 16));
      expect(slices.flatMap((slice) => slice.frames)).toEqual(frames);
      expect(slices.every((slice) => slice.frames.length > 0)).toBe(true);
      expectOneClock(slices);
    }),
  );
});
