import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeArrivalOrder, encodeArrivalOrder } from '../../core/arrival-order.ts';
import { toHex } from '../../core/bytes.ts';
import { codeOf } from './coded-error.ts';

/** Few different stamps, so that ties and back-steps are common. */
const arrivals = fc.array(fc.tuple(fc.nat(7), fc.integer({ min: -3, max: 6 })), { maxLength: 120 });

function columns(frames: readonly (readonly [number, number])[]) {
  const streams = [...new Set(frames.map(([stream]) => stream))].sort((a, b) => a - b);
  return {
    times: streams.map((stream) =>
      Float64Array.from(frames.filter(([of]) => of === stream).map(([, time]) => time)),
    ),
    arrived: Uint32Array.from(frames, ([stream]) => streams.indexOf(stream)),
  };
}

/** The page's definition, word for word and as slowly as can be. */
function byDefinition(times: readonly Float64Array[], arrived: Uint32Array): readonly number[] {
  const next = times.map(() => 0);
  const numbers: number[] = [];
  let implied = 0;
  for (const stream of arrived) {
    const ranked = times
      .map((stamps, s) => ({ s, time: stamps[next[s] ?? 0] }))
      .filter((head) => head.time !== undefined)
      .sort((a, b) => (a.time ?? 0) - (b.time ?? 0) || a.s - b.s);
    const rank = ranked.findIndex((head) => head.s === stream);
    if (rank === 0) implied += 1;
    else {
      numbers.push(implied, rank);
      implied = 0;
    }
    next[stream] = (next[stream] ?? 0) + 1;
  }
  return numbers;
}

test('the order comes back, ties and back-steps included', () => {
  fc.assert(
    fc.property(arrivals, (frames) => {
      const { times, arrived } = columns(frames);
      const order = encodeArrivalOrder(times, arrived);
      expect(decodeArrivalOrder(times, order)).toEqual(arrived);
      // All numbers are below 128 here, so each is one byte.
      expect([...order.payload]).toEqual(byDefinition(times, arrived));
      expect(order.count * 2).toBe(order.payload.length);
    }),
    { numRuns: 500 },
  );
});

test('any bytes are refused with a code or are the one encoding of an order', () => {
  fc.assert(
    fc.property(arrivals, fc.uint8Array({ maxLength: 8 }), fc.nat(4), (frames, payload, count) => {
      const { times } = columns(frames);
      const code = codeOf(() => {
        const again = encodeArrivalOrder(times, decodeArrivalOrder(times, { count, payload }));
        expect([again.count, toHex(again.payload)]).toEqual([count, toHex(payload)]);
      });
      expect(code ?? 'ARRIVAL_ORDER').toBe('ARRIVAL_ORDER');
    }),
    { numRuns: 2000 },
  );
});

test('an order of more frames than there are stamps is a mistake of the caller', () => {
  expect(() => encodeArrivalOrder([Float64Array.of(1)], Uint32Array.of(0, 0))).toThrow(RangeError);
});
