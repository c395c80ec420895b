import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { StoredStatement } from '../../../agent/ports.ts';
import { LinkFollower } from '../../../agent/uplink/link-follower.ts';
import { type HeaderLink, verifyHeaderLink } from '../../../core/evm/header-link.ts';
import { encodeHeaderLink } from '../../../core/evm/header-link-record.ts';
import { LinkGraph } from '../../../core/evm/join-header-links.ts';
import { decodeUnlinkedMessage, encodeLinkMessage } from '../../../core/wire.ts';
import { CHAIN_ID, TestChain } from '../../../fixtures/generate/bundles/test-chain.ts';
import { codeOf } from '../support/coded-error.ts';
import { PRIMITIVES } from '../support/primitives.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts';
import { TestUnit } from '../support/unit.ts';

/** Anchors 100 and 140; the hops between lead from the one to the other. */
const STEPS = [
  { block: 140n, shows: [130n] },
  { block: 130n, shows: [120n] },
  { block: 120n, shows: [110n] },
  { block: 110n, shows: [100n, 97n] },
  { block: 100n, shows: [99n] },
];

let folder: TemporaryFolder;
let unit: TestUnit;
let follower: LinkFollower;

beforeEach(() => {
  folder = temporaryFolder();
  unit = new TestUnit(join(folder.path, 'unit'));
  follower = new LinkFollower(unit.spool, CHAIN_ID, PRIMITIVES.sha256);
});
afterEach(() => {
  unit.spool.close();
  folder[Symbol.dispose]();
});

/** The hops of a chain alone, newest first. */
function hopsOf(chain: TestChain): readonly HeaderLink[] {
  const link = chain.hopsLink(STEPS);
  const graph = new LinkGraph(CHAIN_ID, [link]);
  const { newest, known } = verifyHeaderLink(link);
  const wanted = [...known].map(([number, hash]) => ({ number, hash }));
  return graph.hops(graph.reach(newest, 0n), wanted);
}

function receive(statement: StoredStatement, link: HeaderLink | undefined): void {
  if (link === undefined) throw new Error('no link');
  const proven = verifyHeaderLink(link);
  const { unlinked, linked } = follower.afterReceipt(statement, proven, undefined);
  unit.spool.storeReceipt(statement.id, {
    ...{ inclusion: Uint8Array.of(1), windowHash: PRIMITIVES.sha256(encodeHeaderLink(link)) },
    ...{
      window: Uint8Array.of(2),
      link: encodeHeaderLink(link),
      chainId: CHAIN_ID,
      block: proven.newest.number,
    },
    ...{ unlinked, linked },
  });
}

/** Anchors at 100, with a beacon of block 97, and at 140; nothing leads from the one to the other. */
function parked(chain = new TestChain()): readonly HeaderLink[] {
  const hops = hopsOf(chain);
  unit.beacon = chain.beacon(97n);
  unit.addStatement();
  unit.beacon = undefined;
  unit.addStatement();
  const [first, second] = unit.spool.statements(0, 0, 1);
  if (first === undefined || second === undefined) throw new Error('no statements');
  receive(first, hops[4]);
  expect(numbers(), 'the beacon').toEqual([97n]);
  receive(second, hops[0]);
  expect(numbers(), 'and the anchor before').toEqual([100n, 97n]);
  return hops.slice(1, 4);
}

const numbers = () => unit.spool.unlinkedBlocks(CHAIN_ID, 99).map(({ number }) => number);
const message = (hops: readonly HeaderLink[]) => encodeLinkMessage(hops.map(encodeHeaderLink));

test('what no link leads to is asked for, and kept when it leads there', () => {
  const hops = parked();
  const request = follower.request();
  expect(decodeUnlinkedMessage(request ?? new Uint8Array())).toEqual([140n, 100n, 97n]);
  follower.take(message(hops.slice(0, 2)));
  expect(numbers(), 'only half of the way').toEqual([100n, 97n]);
  follower.take(message(hops.slice(2)));
  expect([numbers(), unit.spool.countHops()]).toEqual([[], 3]);
  follower.take(message(hops));
  expect(unit.spool.countHops(), 'each once').toBe(3);
  expect(follower.request()).toBeUndefined();
});

test('a receipt behind a newer anchor is led to as well, and what was known to be unlinked stays so', () => {
  const hops = hopsOf(new TestChain());
  for (let i = 0; i < 3; i++) unit.addStatement();
  const [first, second, again] = unit.spool.statements(0, 0, 2);
  if (first === undefined || second === undefined || again === undefined) throw new Error('none');
  receive(second, hops[0]);
  expect(numbers()).toEqual([]);
  receive(first, hops[4]);
  expect(numbers()).toEqual([100n]);
  receive(again, hops[4]);
  expect(numbers()).toEqual([100n]);
  const request = follower.request();
  expect(decodeUnlinkedMessage(request ?? new Uint8Array())).toEqual([140n, 100n]);
  follower.take(message(hops.slice(1, 4)));
  expect(numbers()).toEqual([]);
});

test('nothing is taken that was not asked for', () => {
  const hops = parked();
  expect(codeOf(() => follower.take(message(hops)))).toBe('LINK_UNASKED');
  expect(unit.spool.countHops()).toBe(0);
});

test.each([
  ['of another chain', () => hopsOf(new TestChain('another')).slice(1, 4)],
  ['of which a part is missing', (hops: readonly HeaderLink[]) => hops.slice(1)],
  ['in the wrong order', (hops: readonly HeaderLink[]) => hops.toReversed()],
  [
    'under another chain id',
    (hops: readonly HeaderLink[]) => hops.map((h) => ({ ...h, chainId: 1n })),
  ],
])('hops %s are refused as LINK_FOREIGN, and none is kept', (_, change) => {
  const hops = parked();
  follower.request();
  expect(codeOf(() => follower.take(message(change(hops))))).toBe('LINK_FOREIGN');
  expect([numbers(), unit.spool.countHops()]).toEqual([[100n, 97n], 0]);
});

test('a hop that proves nothing is refused by its own code', () => {
  const [first] = parked();
  follower.request();
  const broken = { ...first, nodes: first?.nodes.slice(1) } as HeaderLink;
  expect(codeOf(() => follower.take(message([broken])))).toBe('PROOF_NODE_MISSING');
  expect(unit.spool.countHops()).toBe(0);
});

test('requests without an answer become rare, and a new connection starts over', () => {
  parked();
  const asked = (ticks: number) =>
    Array.from({ length: ticks }, () => follower.request()).filter((one) => one !== undefined);
  expect(asked(1).length).toBe(1);
  expect(asked(200).length).toBeLessThan(10);
  follower.restart();
  expect(asked(1).length).toBe(1);
});

test('a block that was asked for too often is given up', () => {
  parked();
  const [block] = unit.spool.unlinkedBlocks(CHAIN_ID, 1);
  for (let i = 0; i < 256; i++) unit.spool.countAsked(block === undefined ? [] : [block]);
  expect(numbers()).toEqual([97n, 100n]);
  unit.spool.countAsked(block === undefined ? [] : [block]);
  expect(numbers()).toEqual([97n]);
});

test('a service on another chain has its own newest anchor and blocks, whatever numbers they have', () => {
  const elsewhere = CHAIN_ID + 1n;
  const others = new LinkFollower(unit.spool, elsewhere, PRIMITIVES.sha256);
  const hops = parked();
  // Far above everything on the first chain, and unlinked as well; one block has a number that is unlinked here, too.
  const chain = new TestChain('elsewhere');
  const link = (block: bigint, shows: bigint) => ({
    ...chain.hopsLink([{ block, shows: [shows] }]),
    chainId: elsewhere,
  });
  const [old, recent] = [link(100n, 98n), link(900n, 898n)];
  for (const one of [old, recent]) {
    unit.addStatement();
    const statement = unit.spool.statements(0, 2, 9).at(-1);
    if (statement === undefined) throw new Error('no statement');
    const proven = verifyHeaderLink(one);
    const { unlinked, linked } = others.afterReceipt(statement, proven, undefined);
    unit.spool.storeReceipt(statement.id, {
      ...{ inclusion: Uint8Array.of(1), windowHash: PRIMITIVES.sha256(encodeHeaderLink(one)) },
      ...{ window: Uint8Array.of(2), link: encodeHeaderLink(one) },
      ...{ chainId: elsewhere, block: proven.newest.number, unlinked, linked },
    });
  }
  expect(unit.spool.unlinkedBlocks(elsewhere, 9).map(({ number }) => number)).toEqual([100n]);
  expect(numbers(), 'of the first chain').toEqual([100n, 97n]);
  expect(decodeUnlinkedMessage(others.request() ?? new Uint8Array())).toEqual([900n, 100n]);
  // The first service is asked from its own newest anchor, and its answer settles its own blocks alone.
  expect(decodeUnlinkedMessage(follower.request() ?? new Uint8Array())).toEqual([140n, 100n, 97n]);
  follower.take(message(hops));
  expect(numbers()).toEqual([]);
  expect(unit.spool.unlinkedBlocks(elsewhere, 9).map(({ number }) => number)).toEqual([100n]);
  expect(unit.spool.links(elsewhere, 0n, 999n, 9).length).toBe(2);
});

test('a beacon of another service is not asked of this one', () => {
  unit.beacon = { ...new TestChain().beacon(97n), chainId: CHAIN_ID + 1n };
  unit.addStatement();
  const [statement] = unit.spool.statements(0, 0, 0);
  if (statement === undefined) throw new Error('no statement');
  receive(statement, hopsOf(new TestChain())[4]);
  expect(numbers()).toEqual([]);
  expect(unit.spool.unlinkedBlocks(CHAIN_ID + 1n, 9)).toEqual([]);
});
