import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareBytes } from '../../core/bytes.ts';
import { type Gap, MAX_GAPS } from '../../core/chunk-header.ts';
import { MerkleTree } from '../../core/merkle.ts';
import {
  blocksSummary,
  collectedGaps,
  journalEnding,
  recoveredTree,
} from '../../core/recovered-tree.ts';
import { bytesOf, int64, journalBlock } from './arbitrary-records.ts';

const gap: fc.Arbitrary<Gap> = fc.record({
  bus: fc.constantFrom('', 'can0'),
  fromNs: int64,
  toNs: int64,
  cause: fc.constantFrom('bus_off', 'unknown'),
});

describe('gaps of a header', () => {
  test('stay as they are up to 64', () => {
    fc.assert(
      fc.property(fc.array(gap, { maxLength: MAX_GAPS }), (gaps) => {
        expect(collectedGaps(gaps)).toEqual(gaps);
      }),
    );
  });

  test('beyond 64 keep the first 63, and the last covers every other, also one that ends before it starts', () => {
    fc.assert(
      fc.property(fc.array(gap, { minLength: MAX_GAPS + 1, maxLength: 90 }), (gaps) => {
        const collected = collectedGaps(gaps);
        expect(collected).toHaveLength(MAX_GAPS);
        expect(collected.slice(0, -1)).toEqual(gaps.slice(0, MAX_GAPS - 1));
        const last = collected.at(-1);
        expect(last).toMatchObject({ bus: '', cause: 'unknown' });
        for (const { fromNs, toNs } of gaps.slice(MAX_GAPS - 1)) {
          for (const ns of [fromNs, toNs]) {
            expect(ns >= (last?.fromNs ?? 0n) && ns <= (last?.toNs ?? 0n)).toBe(true);
          }
        }
      }),
    );
  });
});

test('a recovered chunk repeats the times of its blocks and adds up what they lost', () => {
  fc.assert(
    fc.property(fc.array(journalBlock, { minLength: 1, maxLength: 4 }), (blocks) => {
      const summary = blocksSummary(blocks);
      expect(summary.monoStartNs).toBe(blocks[0]?.monoStartNs);
      expect(summary.wallEndNs).toBe(blocks.at(-1)?.wallEndNs);
      const counters = blocks.flatMap(({ buses }) => buses);
      expect(new Set(summary.buses.map(({ bus }) => bus)).size).toBe(summary.buses.length);
      for (const { bus, kernelDrops } of summary.buses) {
        const own = counters.filter((one) => one.bus === bus);
        expect(kernelDrops).toBe(own.reduce((sum, one) => sum + one.kernelDrops, 0));
      }
    }),
  );
});

test('the tree of a recovered chunk does not depend on the order of its parts', () => {
  fc.assert(
    fc.property(fc.uniqueArray(bytesOf(48), { maxLength: 9, selector: String }), (entries) => {
      const { entryCount, root } = recoveredTree(entries);
      expect(entryCount).toBe(entries.length);
      expect(recoveredTree([...entries].reverse()).root).toEqual(root);
      expect(new MerkleTree([...entries].sort(compareBytes)).root()).toEqual(root);
    }),
  );
});

describe('the gaps of blocks', () => {
  const part = (bus: string, fromNs: bigint, toNs: bigint): Gap => ({
    ...{ bus, fromNs, toNs },
    cause: 'interface_down',
  });
  const gapsOf = (gaps: readonly (readonly Gap[])[]) => {
    const [one] = fc.sample(journalBlock, { numRuns: 1, seed: 1 });
    if (one === undefined) throw new Error('no block');
    return blocksSummary(gaps.map((own) => ({ ...one, gaps: own }))).gaps;
  };

  test('that follow on from each other are one, whatever stands between them', () => {
    const down = [part('can0', 1n, 2n), part('can1', 1n, 2n), part('can0', 2n, 3n)];
    expect(gapsOf(down.map((own) => [own]))).toEqual([part('can0', 1n, 3n), part('can1', 1n, 2n)]);
  });

  test('stay apart where the bus was back in between, or the cause is another', () => {
    const apart = [part('can0', 1n, 2n), part('can0', 3n, 4n)];
    const other: Gap = { ...part('can0', 4n, 5n), cause: 'bus_off' };
    expect(gapsOf([apart, [other]])).toEqual([...apart, other]);
  });

  test('are joined in time that grows with their number', () => {
    const many = Array.from({ length: 4096 }, (_, b) =>
      Array.from({ length: 64 }, (__, i) => part(`b${(64 * b + i) % 200_000}`, 1n, 2n)),
    );
    expect(gapsOf(many)).toHaveLength(4096 * 64);
  });
});

describe('a journal', () => {
  test('is open where the last block was not known to be durable', () => {
    expect(journalEnding(7, [{ durable: 0 }, { durable: 7 }])).toBe('open');
    expect(journalEnding(0, [])).toBe('open');
  });

  test('is damaged where a head counts the missing block as durable', () => {
    expect(journalEnding(7, [{ durable: 3 }, { durable: 8 }])).toBe('damaged');
    expect(journalEnding(0, [{ durable: 1 }])).toBe('damaged');
  });
});
