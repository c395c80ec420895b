import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { Aedes } from 'aedes';
import { afterEach, expect, test } from 'vitest';
import type { AnchorServiceOptions } from '../../anchor-service/config.ts';
import type { RunningAnchorService } from '../../anchor-service/main.ts';
import { freePort } from './crash/child-service.ts';
import { audit } from './support/audit.ts';
import { startTestChain, type TestChain } from './support/chain.ts';
import { Cleanup } from './support/cleanup.ts';
import { ResendingVehicle } from './support/resending-vehicle.ts';
import { serviceOptions, startTestService, temporaryFolder } from './support/service.ts';
import { Vehicle } from './support/vehicle.ts';

const vehicle = new Vehicle(1);
const cleanup = new Cleanup();
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

function resending(url: string): ResendingVehicle {
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
  const statements = [0, 1, 2, 3].map((seq) => vehicle.statement(seq));
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
  await audit(given.data_dir, chain, sender, statements);
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
  const statement = vehicle.statement(0);
  sender.add(statement);
  await sender.allAccepted();
  chain = await startTestChain(options, port);
  await sender.allReceipts();
  await service.stop();
  await audit(given.data_dir, chain, sender, [statement]);
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
  const statements = [0, 1, 2].map((seq) => vehicle.statement(seq));
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
  await audit(given.data_dir, chain, sender, statements);
});

test('a window whose block is reorganised away is sent again and becomes final once', {
  timeout: 60_000,
}, async () => {
  const chain = await startTestChain(['--block-time', '0.2', '--slots-in-an-epoch', '4']);
  cleanup.add(async () => await chain.stop());
  const given = folderOptions(chain.url);
  const service = await start(given);
  await chain.rpc('evm_setIntervalMining', 0);
  const sender = resending(service.mqttUrl);
  const statement = vehicle.statement(0);
  sender.add(statement);
  await pooled(chain);
  await chain.rpc('anvil_mine', '0x2');
  await pause(500);
  await chain.rpc('anvil_reorg', 2, []);
  expect(sender.receipts.size).toBe(0);
  await pooled(chain);
  await chain.rpc('evm_setIntervalMining', 1);
  await sender.allReceipts();
  await service.stop();
  await audit(given.data_dir, chain, sender, [statement]);
});

test('a reorganisation below finality halts the service, which says so and accepts no more', {
  timeout: 60_000,
}, async () => {
  const chain = await startTestChain(['--block-time', '0.2']);
  cleanup.add(async () => await chain.stop());
  const service = await start(folderOptions(chain.url));
  const sender = resending(service.mqttUrl);
  sender.add(vehicle.statement(0));
  await sender.allReceipts();
  await chain.rpc('evm_setIntervalMining', 0);
  const head = Number(await chain.rpc('eth_blockNumber'));
  const answer = await fetch(`${service.httpUrl}/v1/windows/0`);
  const { block } = (await answer.json()) as { block: { number: number } };
  await chain.rpc('anvil_reorg', head - block.number + 1, []);
  await chain.rpc('evm_setIntervalMining', 1);
  // Only with something to anchor does the service look at what was final.
  sender.add(vehicle.statement(1));
  const reason = (await service.halted) as Error & { code: string };
  expect(reason.code).toBe('FINALITY_REVERSED');
  const health = await fetch(`${service.httpUrl}/healthz`);
  expect(health.status).toBe(503);
  expect(await health.json()).toMatchObject({ status: 'halted', code: reason.code });
  sender.add(vehicle.statement(2));
  await pause(500);
  expect(sender.accepted.size).toBeLessThan(3);
});

test('a nonce that somebody else used is given up, and the window goes out under the next', {
  timeout: 60_000,
}, async () => {
  const chain = await startTestChain(['--block-time', '0.2']);
  cleanup.add(async () => await chain.stop());
  const given = folderOptions(chain.url);
  const service = await start(given);
  await chain.rpc('evm_setIntervalMining', 0);
  const sender = resending(service.mqttUrl);
  const statement = vehicle.statement(0);
  sender.add(statement);
  await pooled(chain);
  // The same key elsewhere: the pool loses ours, a block has another transaction with its nonce.
  const publisher = `0x${Buffer.from(service.publisher).toString('hex')}`;
  await chain.rpc('anvil_impersonateAccount', publisher);
  await chain.rpc('anvil_dropAllTransactions');
  const foreign = { from: publisher, to: publisher, value: '0x1', gas: '0x5208', nonce: '0x1' };
  await chain.rpc('eth_sendTransaction', { ...foreign, maxFeePerGas: '0x174876e800' });
  await chain.rpc('anvil_mine', '0x1');
  await chain.rpc('evm_setIntervalMining', 1);
  await sender.allReceipts();
  const window = (await (await fetch(`${service.httpUrl}/v1/windows/0`)).json()) as object;
  expect(window).toMatchObject({ seq: 0, treeSize: 1 });
  expect(Number(await chain.rpc('eth_getTransactionCount', publisher, 'latest'))).toBe(3);
});

async function pooled(chain: TestChain): Promise<void> {
  for (;;) {
    const { pending } = (await chain.rpc('txpool_status')) as { pending: string };
    if (Number(pending) > 0) return;
    await pause();
  }
}

async function pause(ms = 50): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

async function startBroker(port: number): Promise<{ stop(): Promise<void> }> {
  const broker = await Aedes.createBroker();
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    broker.handle(socket);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    stop: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => broker.close(() => resolve()));
    },
  };
}
