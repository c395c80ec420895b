import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { COMMIT_POINTS, type CommitPoint } from '../../../anchor-service/commit-points.ts';
import type { AnchorServiceOptions } from '../../../anchor-service/config.ts';
import { audit } from '../../chaos/audit.ts';
import { RecordedVehicle } from '../../chaos/recorded-vehicle.ts';
import { until } from '../../chaos/trial.ts';
import { startTestChain, type TestChain } from '../support/chain.ts';
import { Cleanup } from '../support/cleanup.ts';
import { ResendingVehicle } from '../support/resending-vehicle.ts';
import { serviceOptions, temporaryFolder } from '../support/service.ts';
import { freePort, startChild } from './child-service.ts';

let vehicle: RecordedVehicle;
const cleanup = new Cleanup();
let chain: TestChain;

beforeAll(async () => {
  chain = await startTestChain(['--block-time', '0.2']);
});
afterAll(async () => await chain.stop());
afterEach(async () => await cleanup.run());

/** A chain whose blocks a test makes itself once the service has started. */
async function ownChain(): Promise<TestChain> {
  const own = await startTestChain(['--block-time', '0.2', '--order', 'fees']);
  cleanup.add(async () => await own.stop());
  return own;
}

async function prepare(
  on: TestChain = chain,
): Promise<{ options: AnchorServiceOptions; url: string; dataDir: string }> {
  vehicle = new RecordedVehicle(1);
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  const port = await freePort();
  const options = serviceOptions(folder.path, [vehicle], {
    broker: { port },
    chain: { rpc: [on.url], class: 'local', poll_ms: 50, hop_every_blocks: 4 },
    window: { every_ms: 100 },
    stamp: { local: true, every_ms: 100 },
  });
  return { options, url: `mqtt://127.0.0.1:${port}`, dataDir: folder.path };
}

/** Points that need more than an undisturbed run have tests of their own below. */
const disturbed: readonly CommitPoint[] = [
  'replacement-signed',
  'window-unmined',
  'fork-written', // test/anchor-service/publish/forks.test.ts
  'fork-index-written',
  'nonce-abandoned', // test/chaos/foreign-use.test.ts
  'statements-pruned',
  'publisher-succeeded', // test/chaos/sender-keys.test.ts
];

test.each(COMMIT_POINTS.filter((point) => !disturbed.includes(point)))(
  'killed at %s, a restart finishes everything exactly once',
  { timeout: 60_000 },
  async (point) => {
    const { options, url, dataDir } = await prepare();
    const sender = new ResendingVehicle(vehicle, url);
    cleanup.add(async () => await sender.stop());
    const statements = [0, 1, 2, 3].map(() => vehicle.next());
    const killed = startChild(options, { point });
    sender.add(...statements.slice(0, 2));
    expect(await killed.ended).toBe('SIGKILL');

    const restarted = startChild(options);
    cleanup.add(async () => await restarted.kill());
    await restarted.started;
    sender.add(...statements.slice(2));
    await sender.allReceipts();
    await restarted.stop();
    await audit({ dataDir, chain, senders: [sender] });
  },
);

test('killed at every point in turn without ever finishing in between, it loses nothing', {
  timeout: 120_000,
}, async () => {
  const { options, url, dataDir } = await prepare();
  const sender = new ResendingVehicle(vehicle, url);
  cleanup.add(async () => await sender.stop());
  const statements = COMMIT_POINTS.map(() => vehicle.next());
  for (const [i, point] of COMMIT_POINTS.entries()) {
    const statement = statements[i];
    if (statement !== undefined) sender.add(statement);
    if (disturbed.includes(point) || point.startsWith('contract-')) continue;
    expect(await startChild(options, { point }).ended).toBe('SIGKILL');
  }
  const restarted = startChild(options);
  cleanup.add(async () => await restarted.kill());
  await sender.allReceipts();
  await restarted.stop();
  await audit({ dataDir, chain, senders: [sender] });
});

test('killed at replacement-signed, one form of the one payload takes effect', {
  timeout: 90_000,
}, async () => {
  const chain = await ownChain();
  const { options, url, dataDir } = await prepare(chain);
  const sender = new ResendingVehicle(vehicle, url);
  cleanup.add(async () => await sender.stop());
  const killed = startChild(options, { point: 'replacement-signed' });
  await killed.started;
  await chain.rpc('evm_setIntervalMining', 0);
  sender.add(vehicle.next());
  await pooled(chain);
  // The market rises above the first offer, and blocks go by without it.
  await chain.rpc('anvil_setNextBlockBaseFeePerGas', '0x2540be400');
  await chain.rpc('anvil_mine', '0x4');
  expect(await killed.ended).toBe('SIGKILL');

  const restarted = startChild(options);
  cleanup.add(async () => await restarted.kill());
  await chain.rpc('evm_setIntervalMining', 1);
  await sender.allReceipts();
  await restarted.stop();
  await audit({ dataDir, chain, senders: [sender] });
});

test('killed at window-unmined, the window is sent again and anchored once', {
  timeout: 90_000,
}, async () => {
  const chain = await ownChain();
  const { options, url, dataDir } = await prepare(chain);
  const sender = new ResendingVehicle(vehicle, url);
  cleanup.add(async () => await sender.stop());
  const killed = startChild(options, { point: 'window-unmined' });
  await killed.started;
  await chain.rpc('evm_setIntervalMining', 0);
  sender.add(vehicle.next());
  await pooled(chain);
  await chain.rpc('anvil_mine', '0x1');
  // Time to see the block, then the block is another one.
  await settle(10);
  await chain.rpc('anvil_reorg', 1, []);
  expect(await killed.ended).toBe('SIGKILL');

  const restarted = startChild(options);
  cleanup.add(async () => await restarted.kill());
  await chain.rpc('evm_setIntervalMining', 1);
  await sender.allReceipts();
  await restarted.stop();
  await audit({ dataDir, chain, senders: [sender] });
});

test('killed at statements-pruned, what must stay stays and the rest goes', {
  timeout: 90_000,
}, async () => {
  const chain = await ownChain();
  const { options: base, url, dataDir } = await prepare(chain);
  const options = { ...base, retention: { statements_days: 1 } };
  const sender = new ResendingVehicle(vehicle, url);
  cleanup.add(async () => await sender.stop());
  const killed = startChild(options, { point: 'statements-pruned' });
  // Windows of their own, so that the kill finds one pruned and others not.
  for (let i = 0; i < 3; i += 1) {
    sender.add(vehicle.next());
    await sender.allReceipts();
  }
  await chain.rpc('evm_increaseTime', 2 * 86_400);
  sender.add(vehicle.next());
  expect(await killed.ended).toBe('SIGKILL');
  expect(statementSeqs(dataDir)).toHaveLength(3);

  const restarted = startChild(options);
  cleanup.add(async () => await restarted.kill());
  await sender.allReceipts();
  await until(() => statementSeqs(dataDir).length === 1);
  await restarted.stop();
  await audit({ dataDir, chain, senders: [sender] });
});

/** Windows of the statements that are in the store, beside a service that runs or not. */
function statementSeqs(dataDir: string): readonly number[] {
  const db = new Database(join(dataDir, 'anchor-service.sqlite'), { readonly: true });
  try {
    return db.prepare<[], number>('SELECT window_seq FROM statement').pluck().all();
  } finally {
    db.close();
  }
}

async function pooled(chain: TestChain): Promise<void> {
  for (;;) {
    const { pending } = (await chain.rpc('txpool_status')) as { pending: string };
    if (Number(pending) > 0) return;
    await settle(1);
  }
}

/** As many polls of the service. */
async function settle(polls: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, polls * 100));
}
