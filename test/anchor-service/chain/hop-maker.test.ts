import { afterEach, expect, test } from 'vitest';
import { BeaconPublisher } from '../../../anchor-service/chain/beacon.ts';
import { Endpoints } from '../../../anchor-service/chain/endpoints.ts';
import { HopMaker } from '../../../anchor-service/chain/hop-maker.ts';
import { httpEndpoint } from '../../../anchor-service/chain/json-rpc.ts';
import { toHex } from '../../../core/bytes.ts';
import { verifyHeaderLink } from '../../../core/evm/header-link.ts';
import { decodeHeaderLink } from '../../../core/evm/header-link-record.ts';
import { ephemeralSigner } from '../../../hw/keys/file-signer.ts';
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
  const endpoints = new Endpoints(
    [httpEndpoint(chain.url, 10_000, new AbortController().signal)],
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
  return { chain, stores, mine, step, numbers };
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
