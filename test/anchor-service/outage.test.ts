import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AnchorServiceOptions } from '../../anchor-service/config.ts';
import type { RunningAnchorService } from '../../anchor-service/main.ts';
import { audit } from '../chaos/audit.ts';
import { RecordedVehicle } from '../chaos/recorded-vehicle.ts';
import { freePort } from './crash/child-service.ts';
import { startBroker } from './support/broker.ts';
import { startTestChain } from './support/chain.ts';
import { Cleanup } from './support/cleanup.ts';
import { ResendingVehicle } from './support/resending-vehicle.ts';
import { serviceOptions, startTestService, temporaryFolder } from './support/service.ts';

let vehicle: RecordedVehicle;
const cleanup = new Cleanup();
beforeEach(() => {
  vehicle = new RecordedVehicle(1);
});
afterEach(async () => await cleanup.run());

function folderOptions(
  chainUrl: string,
  broker: AnchorServiceOptions['broker'] = { port: 0 },
): AnchorServiceOptions {
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  return serviceOptions(folder.path, [vehicle], {
    broker,
    chain: { rpc: [chainUrl], class: 'local', poll_ms: 50 },
    window: { every_ms: 100 },
  });
}

async function start(options: AnchorServiceOptions): Promise<RunningAnchorService> {
  const service = await startTestService(options);
  cleanup.add(async () => await service.stop());
  return service;
}

function resending(url: string): ResendingVehicle<RecordedVehicle> {
  const sender = new ResendingVehicle(vehicle, url);
  cleanup.add(async () => await sender.stop());
  return sender;
}

async function problems(service: RunningAnchorService): Promise<readonly string[]> {
  const answer = await fetch(`${service.httpUrl}/readyz`);
  const { problems } = (await answer.json()) as { problems: { code: string }[] };
  return problems.map(({ code }) => code);
}

test('while the chain is down statements are accepted, and afterwards everything drains', {
  timeout: 60_000,
}, async () => {
  const state = temporaryFolder();
  cleanup.add(() => state.remove());
  const port = await freePort();
  const options = ['--block-time', '0.2', '--state', join(state.path, 'state.json')];
  let chain = await startTestChain(options, port);
  cleanup.add(async () => await chain.stop());
  const given = folderOptions(chain.url);
  const service = await start(given);
  const sender = resending(service.mqttUrl);
  const statements = [0, 1, 2, 3].map(() => vehicle.next());
  sender.add(...statements.slice(0, 1));
  await sender.allReceipts();

  await chain.stop();
  sender.add(...statements.slice(1));
  await sender.allAccepted();
  while (!(await problems(service)).includes('RPC_UNREACHABLE')) await pause();
  expect((await fetch(`${service.httpUrl}/healthz`)).status).toBe(200);

  chain = await startTestChain(options, port);
  await sender.allReceipts();
  while ((await problems(service)).length > 0) await pause();
  await service.stop();
  await audit({ dataDir: given.data_dir, chain, senders: [sender] });
});

test('a service that is started again while the chain is down accepts at once', {
  timeout: 60_000,
}, async () => {
  const state = temporaryFolder();
  cleanup.add(() => state.remove());
  const port = await freePort();
  const options = ['--block-time', '0.2', '--state', join(state.path, 'state.json')];
  let chain = await startTestChain(options, port);
  cleanup.add(async () => await chain.stop());
  const given = folderOptions(chain.url, { port: await freePort() });
  const first = await start(given);
  const sender = resending(first.mqttUrl);
  await first.stop();
  await chain.stop();
  const service = await start(given);
  const statement = vehicle.next();
  sender.add(statement);
  await sender.allAccepted();
  chain = await startTestChain(options, port);
  await sender.allReceipts();
  await service.stop();
  await audit({ dataDir: given.data_dir, chain, senders: [sender] });
});

test('an external broker may be restarted without its memory, and may be down at the start', {
  timeout: 60_000,
}, async () => {
  const chain = await startTestChain(['--block-time', '0.2']);
  cleanup.add(async () => await chain.stop());
  const port = await freePort();
  const url = `mqtt://127.0.0.1:${port}`;
  const given = folderOptions(chain.url, { url });
  const starting = start(given);
  const broker = await startBroker(port);
  const service = await starting;
  expect(service.mqttUrl).toBe(url);
  const sender = resending(url);
  const statements = [0, 1, 2].map(() => vehicle.next());
  sender.add(...statements.slice(0, 1));
  await sender.allReceipts();

  sender.add(...statements.slice(1, 2));
  await broker.stop();
  sender.add(...statements.slice(2));
  const again = await startBroker(port);
  cleanup.add(async () => await again.stop());
  await sender.allReceipts();
  await vehicle.connect(url);
  expect((await vehicle.ask()).last?.statement).toEqual(statements[2]?.bytes);
  await vehicle.disconnect();
  await service.stop();
  await audit({ dataDir: given.data_dir, chain, senders: [sender] });
});

test('a reorganisation below finality halts the service, which says so and accepts no more', {
  timeout: 60_000,
}, async () => {
  const chain = await startTestChain(['--block-time', '0.2']);
  cleanup.add(async () => await chain.stop());
  const service = await start(folderOptions(chain.url));
  const sender = resending(service.mqttUrl);
  sender.add(vehicle.next());
  await sender.allReceipts();
  await chain.rpc('evm_setIntervalMining', 0);
  const head = Number(await chain.rpc('eth_blockNumber'));
  const answer = await fetch(`${service.httpUrl}/v1/windows/0`);
  const { block } = (await answer.json()) as { block: { number: number } };
  await chain.rpc('anvil_reorg', head - block.number + 1, []);
  await chain.rpc('evm_setIntervalMining', 1);
  // Only with something to anchor does the service look at what was final.
  sender.add(vehicle.next());
  const reason = (await service.halted) as Error & { code: string };
  expect(reason.code).toBe('FINALITY_REVERSED');
  const health = await fetch(`${service.httpUrl}/healthz`);
  expect(health.status).toBe(503);
  expect(await health.json()).toMatchObject({ status: 'halted', code: reason.code });
  sender.add(vehicle.next());
  await pause(500);
  expect(sender.accepted.size).toBeLessThan(3);
});

async function pause(ms = 50): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
