import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type KeptSegment, knownEnds, retentionOf } from '../../../agent/spool/retention.ts';

const DAY_NS = 86_400_000_000_000n;
const T0 = 1_795_000_000_000_000_000n;
const LIMITS = { maxBytes: 100, maxAgeDays: 10 };

/** So many days after the first. */
function segment(number: number, change: Partial<KeptSegment> = {}): KeptSegment {
  return { number, bytes: 10, endNs: T0 + BigInt(number) * DAY_NS, isHeld: false, ...change };
}

const segments = (count: number, held: readonly number[] = []) =>
  Array.from({ length: count }, (_, i) => segment(i, { isHeld: held.includes(i) }));

describe('bounds', () => {
  test('that are not reached evict nothing', () => {
    expect(retentionOf(segments(9), 10, LIMITS, T0)).toEqual({
      ...{ evict: [], heldBytes: 0, isFullOfHolds: false },
    });
  });

  test('in bytes evict the oldest until the rest fits, the index included', () => {
    expect(retentionOf(segments(12), 15, LIMITS, undefined).evict).toEqual([0, 1, 2, 3]);
  });

  test('in days evict what ended longer ago', () => {
    const now = T0 + 13n * DAY_NS;
    expect(retentionOf(segments(8), 0, LIMITS, now).evict).toEqual([0, 1, 2]);
    expect(retentionOf(segments(8), 0, LIMITS, now + 1n).evict).toEqual([0, 1, 2, 3]);
  });

  test('never evict what is held, nor the segment that is written', () => {
    const all = segments(4, [0, 2]);
    const late = T0 + 1000n * DAY_NS;
    expect(retentionOf(all, 0, { ...LIMITS, maxBytes: 0 }, late).evict).toEqual([1]);
  });

  test('that holds fill leave the rest to the ring, and say so', () => {
    const held = segments(12, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(retentionOf(held, 5, LIMITS, undefined)).toEqual({
      ...{ evict: [9, 10], heldBytes: 90, isFullOfHolds: true },
    });
    expect(retentionOf(held, 0, LIMITS, undefined).isFullOfHolds).toBe(false);
  });

  test('that are too small for the index alone are no matter of holds', () => {
    expect(retentionOf(segments(3), 500, LIMITS, undefined)).toEqual({
      ...{ evict: [0, 1], heldBytes: 0, isFullOfHolds: false },
    });
  });
});

describe('a false clock', () => {
  const late = T0 + 1000n * DAY_NS;

  test('that was never set makes nothing old', () => {
    const unset = segments(3).map((one) => ({ ...one, endNs: 1_000_000_000n }));
    expect(retentionOf(unset, 0, LIMITS, late).evict).toEqual([]);
  });

  test('that was set later makes a segment as old as the next', () => {
    const [a, b, c] = [segment(0, { endNs: 5n }), segment(1), segment(2)];
    expect(knownEnds([a, b, c])).toEqual([b.endNs, b.endNs, c.endNs]);
  });

  test('that ran ahead keeps what follows as long as it said', () => {
    const ahead = segment(1, { endNs: late });
    expect(knownEnds([segment(0), ahead, segment(2)])).toEqual([T0, late, late]);
  });

  test('that is not known to be right evicts nothing for its age', () => {
    expect(retentionOf(segments(5), 0, LIMITS, undefined).evict).toEqual([]);
  });
});

test('whatever the segments, only closed ones that are not held go, oldest first, and no more than must', () => {
  const one = fc.record({
    bytes: fc.nat({ max: 50 }),
    endNs: fc.bigInt({ min: 0n, max: T0 * 2n }),
    isHeld: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(one), fc.nat({ max: 300 }), fc.nat({ max: 300 }), (list, other, max) => {
      const all = list.map((each, number) => ({ ...each, number }));
      const limits = { maxBytes: max, maxAgeDays: 10 };
      const { evict, heldBytes } = retentionOf(all, other, limits, undefined);
      expect(evict).toEqual(evict.toSorted((a, b) => a - b));
      const gone = new Set(evict);
      expect(all.some(({ isHeld, number }) => isHeld && gone.has(number))).toBe(false);
      expect(gone.has(all.length - 1)).toBe(false);
      const sum = (of: readonly KeptSegment[]) => of.reduce((s, { bytes }) => s + bytes, 0);
      expect(heldBytes).toBe(sum(all.filter(({ isHeld }) => isHeld)));
      const left = other + sum(all.filter(({ number }) => !gone.has(number)));
      const last = all.find(({ number }) => number === evict.at(-1));
      if (last !== undefined) expect(left + last.bytes).toBeGreaterThan(max);
      const couldGo = all.slice(0, -1).some(({ isHeld, number }) => !isHeld && !gone.has(number));
      if (couldGo) expect(left).toBeLessThanOrEqual(max);
    }),
  );
});
