import { expect, test } from 'vitest';
import { MAX_HOPS, verifyHeaderLink } from '../../../core/evm/header-link.ts';
import { LinkGraph, reaches } from '../../../core/evm/join-header-links.ts';
import { CHAIN_ID, TestChain } from '../../../fixtures/generate/bundles/test-chain.ts';

const STEPS = [
  { block: 150n, shows: [140n, 130n] },
  { block: 140n, shows: [130n, 128n] },
  { block: 130n, shows: [120n, 110n] },
  { block: 120n, shows: [110n, 104n] },
  { block: 110n, shows: [103n, 102n, 100n] },
];

const chain = new TestChain();
const block = (number: bigint) => ({ number, hash: chain.hash(number) });

/** One link for each, as they are kept; from the oldest on, since a block's hash is in those that show it. */
const kept = STEPS.toReversed()
  .map((step) => chain.historyLink(step.block, step.shows))
  .toReversed();
const NOTHING = { chainId: CHAIN_ID, hops: [], nodes: [] };

test('a join leads from its top to what is wanted by the fewest hops, and shows nothing else', () => {
  const graph = new LinkGraph(CHAIN_ID, kept);
  const reach = graph.reach(block(150n), 0n);
  const joined = graph.join(reach, [block(103n), block(100n)]);
  const { hops, known } = verifyHeaderLink(joined ?? NOTHING);
  expect(hops.map((hop) => hop.block.number)).toEqual([150n, 130n, 110n]);
  expect([...known.keys()]).toEqual([150n, 130n, 110n, 103n, 100n]);
});

test('what no hop leads to is left out', () => {
  const graph = new LinkGraph(CHAIN_ID, kept.slice(0, 3));
  const reach = graph.reach(block(150n), 0n);
  expect([block(110n), block(104n), block(103n)].map((one) => reaches(reach, one))).toEqual([
    true,
    false,
    false,
  ]);
  const joined = graph.join(reach, [block(103n), block(110n)]);
  expect([...verifyHeaderLink(joined ?? NOTHING).known.keys()]).toEqual([150n, 130n, 110n]);
});

test('a wanted block whose header is held gets its time, and its parent stays shown once', () => {
  const header = { kind: 'parent', header: chain.header(103n) } as const;
  const parent = { chainId: CHAIN_ID, hops: [header], nodes: [] };
  const graph = new LinkGraph(CHAIN_ID, [...kept, parent]);
  const reach = graph.reach(block(150n), 0n);
  const joined = graph.join(reach, [block(103n), block(100n)]);
  const { hops } = verifyHeaderLink(joined ?? NOTHING);
  expect(hops.at(-1)?.hop).toEqual(header);
  expect(hops.at(-1)?.block.number).toBe(103n);
  expect(graph.hasHeader(block(103n))).toBe(true);
  expect(graph.hasHeader(block(100n))).toBe(false);
});

test('links of another chain id lead nowhere, and without a hop under the top there is no link', () => {
  const graph = new LinkGraph(1n, kept);
  const reach = graph.reach(block(150n), 0n);
  expect(reach.blocks.length).toBe(1);
  expect(graph.join(reach, [block(100n)])).toBeUndefined();
});

test('a top without anything wanted below it is a link all the same', () => {
  const graph = new LinkGraph(CHAIN_ID, kept);
  const joined = graph.join(graph.reach(block(150n), 0n), [block(150n)]);
  expect(verifyHeaderLink(joined ?? NOTHING).newest.number).toBe(150n);
  expect(joined?.hops.length).toBe(1);
});

test('a hop that is used anyway goes before another of the same length: every second one is enough', () => {
  const twoEach = Array.from({ length: 40 }, (_, i) => 104n + BigInt(i))
    .map((number) => chain.historyLink(number, [number - 1n, number - 2n]))
    .toReversed();
  const graph = new LinkGraph(CHAIN_ID, twoEach);
  const wanted = Array.from({ length: 41 }, (_, i) => block(102n + BigInt(i)));
  const joined = graph.join(graph.reach(block(143n), 0n), wanted);
  const { known, hops } = verifyHeaderLink(joined ?? NOTHING);
  expect([...known.keys()].sort((a, b) => Number(a - b))).toEqual(
    Array.from({ length: 42 }, (_, i) => 102n + BigInt(i)),
  );
  expect(hops.length).toBe(21);
});

test('what would take more hops than a link may have is left out, the farthest first', () => {
  const long = new TestChain('long');
  const first = 1000n;
  const count = MAX_HOPS + 300;
  const headers = Array.from({ length: count }, (_, i) => long.header(first + BigInt(i)));
  const parents = headers.toReversed().map((header) => ({
    chainId: CHAIN_ID,
    hops: [{ kind: 'parent', header } as const],
    nodes: [],
  }));
  const top = first + BigInt(count) - 1n;
  const at = (number: bigint) => ({ number, hash: long.hash(number) });
  const graph = new LinkGraph(CHAIN_ID, parents);
  const reach = graph.reach(at(top), 0n);
  const [near, last, beyond] = [top - 5n, top - BigInt(MAX_HOPS), top - BigInt(MAX_HOPS) - 1n];
  expect(reaches(reach, at(beyond))).toBe(true);
  const joined = graph.join(reach, [at(beyond), at(near), at(last)]);
  const { known, hops } = verifyHeaderLink(joined ?? NOTHING);
  expect(hops.length).toBe(MAX_HOPS);
  expect([near, last, beyond].map((number) => known.has(number))).toEqual([true, true, false]);
});
