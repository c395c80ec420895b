import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AgeScan, keptNodes, keptSeqs } from '../../../agent/spool/kept-keys.ts';
import { placeOf } from '../../../agent/spool/place.ts';
import { toHex } from '../../../core/bytes.ts';
import { sha512 } from '../../../core/hash.ts';
import { KeyTreeWalk, nodesWithin, rootNode } from '../../../core/key-tree.ts';
import { KeyNodesWalk } from '../../../core/key-walks.ts';
import { MAX_SEQ } from '../../../core/vehicle-log.ts';
import { codeOf } from '../support/coded-error.ts';
import { PRIMITIVES } from '../support/primitives.ts';

const ROOT = PRIMITIVES.sha256(Buffer.from('a stream'));

describe('the seqs that are kept', () => {
  test('are those to come, the young ones and the held ones, joined where they touch', () => {
    const hold = (log: number, first: number, last: number) => ({
      first: placeOf(log, first),
      last: placeOf(log, last),
    });
    const log = { log: 1, isClosed: false, end: 100 };
    expect(keptSeqs(log, placeOf(1, 90), [])).toEqual([{ first: 90, last: MAX_SEQ }]);
    expect(keptSeqs(log, placeOf(0, 90), [])).toEqual([{ first: 0, last: MAX_SEQ }]);
    expect(keptSeqs(log, placeOf(1, 100), [hold(1, 3, 5), hold(0, 1, 9)])).toEqual([
      { first: 3, last: 5 },
      { first: 100, last: MAX_SEQ },
    ]);
    expect(keptSeqs(log, placeOf(1, 90), [hold(1, 50, 89), hold(1, 60, 70)])).toEqual([
      { first: 50, last: MAX_SEQ },
    ]);
    const closed = { ...log, isClosed: true };
    expect(keptSeqs(closed, placeOf(1, 90), [])).toEqual([{ first: 90, last: 99 }]);
    expect(keptSeqs(closed, placeOf(2, 0), [hold(1, 99, MAX_SEQ)])).toEqual([
      { first: 99, last: MAX_SEQ },
    ]);
    expect(keptSeqs(closed, placeOf(2, 0), [])).toEqual([]);
    expect(keptSeqs({ ...log, end: MAX_SEQ + 1 }, placeOf(2, 0), [])).toEqual([]);
  });
});

test('over any history of chunks, holds and rounds, nodes open exactly what every round has kept', () => {
  const round = fc.record({
    chunks: fc.integer({ min: 0, max: 40 }),
    forgetTo: fc.double({ min: 0, max: 1, noNaN: true }),
    holds: fc.array(fc.tuple(fc.nat(120), fc.nat(120)), { maxLength: 3 }),
    isClosed: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(round, { minLength: 1, maxLength: 5 }), (rounds) => {
      let nodes = [rootNode(ROOT)] as ReturnType<typeof keptNodes>;
      let end = 0;
      let readable = 0;
      let isClosed = false;
      let openable = (_: number): boolean => true;
      for (const { chunks, forgetTo, holds, isClosed: closes } of rounds) {
        if (!isClosed) end += chunks;
        isClosed ||= closes;
        readable = Math.max(readable, Math.floor(forgetTo * end));
        const held = holds.map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
        const extents = held.map(([first, last]) => ({
          first: placeOf(0, first),
          last: placeOf(0, last),
        }));
        const seqs = keptSeqs({ log: 0, isClosed, end }, placeOf(0, readable), extents);
        nodes = keptNodes(nodes, seqs, sha512);
        const before = openable;
        const [from, to, isOver] = [readable, end, isClosed];
        openable = (seq) => {
          const isHeld = held.some(([first, last]) => first <= seq && seq <= last);
          const isYoung = from <= seq && seq < to;
          return before(seq) && (isHeld || isYoung || (!isOver && seq >= to));
        };
      }
      const walk = new KeyNodesWalk(nodes);
      const truth = new KeyTreeWalk(rootNode(ROOT));
      for (const seq of [...Array.from({ length: end + 130 }, (_, i) => i), MAX_SEQ]) {
        if (openable(seq)) expect(toHex(walk.nodeOf(seq))).toBe(toHex(truth.nodeOf(seq)));
        else expect(codeOf(() => walk.nodeOf(seq))).toBe('KEY_NODE_RANGE');
      }
      // What seals takes the fewest nodes from the next seq on, whatever was forgotten before.
      if (!isClosed) {
        expect(nodesWithin(nodes, end, MAX_SEQ)).toEqual(
          nodesWithin([rootNode(ROOT)], end, MAX_SEQ),
        );
      }
    }),
    { numRuns: 60 },
  );
});

describe('the first chunk that is young enough', () => {
  const HOUR = 3_600_000_000_000n;
  const NOW = 1_800_000_000_000_000_000n;
  const SINCE = NOW - 24n * HOUR;
  /** @param hours before now at which each chunk ended; undefined: before 2020 */
  const scanned = (hours: readonly (number | undefined)[], scan = new AgeScan(0)): AgeScan => {
    for (let place = scan.at; place < hours.length; place++) {
      const before = hours[place];
      const endNs =
        before === undefined ? 0n : NOW - BigInt(Math.round(before * 60)) * (HOUR / 60n);
      if (!scan.pass(place, endNs, NOW, SINCE)) break;
    }
    return scan;
  };

  test.each<[string, readonly (number | undefined)[], number]>([
    ['none is old', [3, 2, 1], 0],
    ['some are old', [26, 25, 23, 1], 2],
    ['all are old', [27, 26, 25], 3],
    ['there is none', [], 0],
    ['a clock was not set, and the next one that was is old', [26, undefined, 25, 3], 3],
    ['a clock was not set, and the next one that was is not', [26, undefined, undefined, 3], 1],
    ['no clock was set behind it', [26, undefined], 1],
    ['a clock ran ahead by years', [26, -9000, 25, 3], 3],
    ['a clock ran ahead by an hour', [26, -1, 25], 1],
    ['a clock went back: what lies behind a young one is not older', [3, 900, 2], 0],
  ])('when %s', (_, hours, first) => {
    expect(scanned(hours).readableFrom).toBe(first);
  });

  test('goes on where it stopped, also in the middle of what is not known', () => {
    const scan = scanned([26, undefined]);
    expect([scan.at, scan.readableFrom]).toEqual([2, 1]);
    expect(scanned([26, undefined, undefined, 25, 2], scan).readableFrom).toBe(4);
    expect(scanned([26, undefined, undefined, 25, 2, 1], scan).readableFrom).toBe(4);
  });
});
