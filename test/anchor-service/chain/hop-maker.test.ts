import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, expect, test } from 'vitest';
import { BeaconPublisher } from '../../../anchor-service/chain/beacon.ts';
import { Endpoints } from '../../../anchor-service/chain/endpoints.ts';
import { HopMaker } from '../../../anchor-service/chain/hop-maker.ts';
import { httpEndpoint } from '../../../anchor-service/chain/json-rpc.ts';
import { toHex } from '../../../core/bytes.ts';
import { verifyHeaderLink } from '../../../core/evm/header-link.ts';
import { decodeHeaderLink } from '../../../core/evm/header-link-record.ts';
import { ephemeralSigner } from '../../../hw/keys/file-signer.ts';
import { RpcError, startRpcProxy } from '../../chaos/rpc-proxy.ts';
import { startTestChain } from '../support/chain.ts';
import { Cleanup } from '../support/cleanup.ts';
import { leadingStores } from '../support/leading-stores.ts';
import { temporaryFolder } from '../support/service.ts';

const cleanup = new Cleanup();
afterEach(async () => await cleanup.run());

const CHAIN_ID = 31337n;

async function start(...options: readonly string[]) {
  const chain = await startTestChain(['--no-mining', ...options]);
  cleanup.add(async () => await chain.stop());
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  const { stores, close } = leadingStores(folder.path);
  cleanup.add(close);
  const proxy = await startRpcProxy(chain.url);
  cleanup.add(async () => await proxy.close());
  const endpoints = new Endpoints(
    [httpEndpoint(proxy.url, 10_000, new AbortController().signal)],
    1,
  );
  const common = { endpoints, chainId: CHAIN_ID, atCommitPoint: () => undefined };
  const beacons = new BeaconPublisher({
    ...common,
    store: stores.beacons,
    signer: ephemeralSigner(),
    clock: { nowMs: () => 0 },
    publish: () => Promise.resolve(),
  });
  const maker = new HopMaker({ ...common, store: stores.hops, everyBlocks: 4, reachBlocks: 12 });
  const mine = async (blocks: number): Promise<void> => {
    await chain.rpc('anvil_mine', `0x${blocks.toString(16)}`);
    await beacons.step();
  };
  const step = async (): Promise<boolean> => await maker.step((await endpoints.head()).number);
  const numbers = () => stores.hops.newestHops(99).map(({ number }) => number);
  return { chain, proxy, folder: folder.path, stores, mine, step, numbers };
}

test('a hop is made when it is due, shows two hops before and what no hop shows yet', {
  timeout: 60_000,
}, async () => {
  const { stores, mine, step, numbers } = await start();
  expect(await step(), 'nothing to link').toBe(false);
  await mine(8); // beacon 5, finalized 6
  expect(await step(), 'not due').toBe(false);
  for (let i = 0; i < 3; i++) {
    await mine(4);
    expect(await step()).toBe(true);
    expect(await step(), 'made once').toBe(false);
  }
  expect(numbers()).toEqual([18, 14, 10]);
  const hop = stores.published.hop(18);
  const spine = verifyHeaderLink(decodeHeaderLink(hop?.link ?? new Uint8Array()));
  expect([...spine.known.keys()]).toEqual([18n, 14n, 10n]);
  expect(toHex(spine.newest.hash)).toBe(toHex(hop?.hash ?? new Uint8Array()));
  const shown = hop?.pages.flatMap((page) => [
    ...verifyHeaderLink(decodeHeaderLink(page)).known.keys(),
  ]);
  expect(shown, 'the beacon since').toEqual([18n, 17n]);
  expect(stores.hops.oldestUnlinked()).toBeUndefined();
});

test('after an outage hops are made under older headers, for as long as their states are there', {
  timeout: 60_000,
}, async () => {
  const { mine, step, numbers } = await start();
  await mine(8);
  await mine(4);
  await step();
  await mine(40);
  while (await step());
  const made = numbers();
  expect(made.length).toBeGreaterThan(6);
  const steps = made.slice(1).map((older, i) => (made[i] ?? 0) - older);
  expect(Math.max(...steps)).toBeLessThanOrEqual(12);
});

test('when no endpoint has the old states any more, a new chain of hops begins, says so once, and goes on', {
  timeout: 60_000,
}, async () => {
  const { chain, proxy, stores, mine, step, numbers } = await start();
  await mine(8);
  await mine(4);
  expect(await step()).toBe(true);
  const [before] = numbers();
  await mine(2); // a beacon that the next hop should show
  const beacon = stores.beacons.lastBeacon()?.number ?? 0;
  await mine(40);
  const { number } = (await chain.rpc('eth_getBlockByNumber', 'finalized', false)) as {
    readonly number: string;
  };
  // As a full node does, which keeps the states of some blocks and the headers of all.
  proxy.set(async ({ method, params }, next) => {
    if (method === 'eth_getProof' && Number(params[2]) < Number(number)) {
      throw new RpcError('missing trie node');
    }
    return await next();
  });
  const broken = async (): Promise<unknown> => {
    try {
      return await step();
    } catch (error) {
      return error;
    }
  };
  const outcomes: unknown[] = [];
  while (outcomes.at(-1) === undefined || outcomes.at(-1) === false) outcomes.push(await broken());
  // An endpoint that fails once, or for a while, is no reason.
  expect(outcomes.length).toBe(20);
  expect(outcomes.at(-1)).toMatchObject({ code: 'HOPS_BROKEN', retryable: true });
  expect(numbers(), 'durable with the word of it').toEqual([Number(number), before]);
  const hop = stores.published.hop(Number(number));
  const { known } = verifyHeaderLink(decodeHeaderLink(hop?.link ?? new Uint8Array()));
  expect(known.has(BigInt(before ?? 0)), 'the old chain of hops is out of reach').toBe(false);
  expect(stores.hops.blocksAt(beacon)[0]?.page, 'given up').toBeUndefined();
  expect(stores.hops.oldestUnlinked() ?? Number(number)).toBeGreaterThan(beacon);
  // What was there before is there still: evidence that rests on it is verified as ever.
  expect(stores.published.hop(before ?? 0)).toBeDefined();
  expect(await step()).toBe(false);
  await mine(4);
  expect(await step()).toBe(true);
  const next = stores.published.hop(numbers()[0] ?? 0);
  const leads = verifyHeaderLink(decodeHeaderLink(next?.link ?? new Uint8Array()));
  expect(leads.known.has(BigInt(number))).toBe(true);
});

test('the store lets go of no hop and of no page', { timeout: 60_000 }, async () => {
  const { folder, mine, step, numbers } = await start();
  for (const blocks of [8, 4, 4]) await mine(blocks);
  expect(await step()).toBe(true);
  const database = new Database(join(folder, 'anchor-service.sqlite'));
  try {
    for (const table of ['hop', 'link_page']) {
      expect(() => database.exec(`DELETE FROM ${table}`)).toThrow('kept for good');
    }
  } finally {
    database.close();
  }
  expect(numbers().length).toBe(1);
});

test('a beacon whose block was replaced is given up, and the next one is linked', {
  timeout: 60_000,
}, async () => {
  const { chain, stores, mine, step } = await start();
  await mine(8);
  const replaced = stores.beacons.lastBeacon();
  await chain.rpc('anvil_reorg', 6, []);
  await mine(4);
  await mine(4);
  expect(await step()).toBe(true);
  const [before] = stores.hops.blocksAt(replaced?.number ?? 0);
  expect(before?.page).toBeUndefined();
  expect(stores.hops.oldestUnlinked() ?? 99, 'not asked for again').toBeGreaterThan(5);
  const linked = stores.hops.blocksAt(9);
  expect(linked[0]?.page).toBeDefined();
});

test('hops that were replaced below finality halt', { timeout: 60_000 }, async () => {
  const { chain, mine, step } = await start();
  await mine(8);
  await mine(4);
  expect(await step()).toBe(true);
  await chain.rpc('anvil_reorg', 6, []);
  await mine(8);
  await expect(step()).rejects.toMatchObject({ code: 'FINALITY_REVERSED', retryable: false });
});
