import { afterEach, expect, test } from 'vitest';
import { discarding } from './rpc-faults.ts';
import { Trial, until } from './trial.ts';

let trial: Trial;
afterEach(async () => await trial.cleanup.run());

async function pending(): Promise<number> {
  const { pending } = (await trial.chain.rpc('txpool_status')) as { pending: string };
  return Number(pending);
}

async function mine(blocks: number): Promise<void> {
  await trial.chain.rpc('anvil_mine', `0x${blocks.toString(16)}`);
}

test('a transaction that the pool dropped is sent again, with the same bytes', async () => {
  trial = await Trial.start();
  const service = await trial.service();
  await trial.chain.rpc('evm_setIntervalMining', 0);
  trial.send();
  await until(async () => (await pending()) === 1);
  await until(async () => (await trial.state()).windows.get('SENT') === 1);
  const before = (await trial.state()).attempts;
  await trial.chain.rpc('anvil_dropAllTransactions');
  expect(await pending()).toBe(0);
  // Blocks without it.
  await mine(1);
  await mine(1);
  await mine(1);
  await until(async () => (await pending()) > 0);
  expect((await trial.state()).attempts.slice(0, before.length)).toEqual(before);
  await trial.chain.rpc('evm_setIntervalMining', 1);
  await trial.allReceipts();
  await service.stop();
  await trial.audit();
});

test('endpoints that say yes and throw a transaction away are asked again until one has it', async () => {
  trial = await Trial.start({ proxies: 2, options: { chain: { quorum: 2 } } });
  const service = await trial.service();
  const heal = trial.proxies.map((proxy) => proxy.set(discarding));
  trial.send();
  await until(async () => (await trial.state()).windows.get('SENT') === 1);
  const sent = trial.proxies.map(({ calls }) => calls.get('eth_sendRawTransaction') ?? 0);
  await until(() =>
    trial.proxies.every(
      ({ calls }, i) => (calls.get('eth_sendRawTransaction') ?? 0) > (sent[i] ?? 0),
    ),
  );
  expect(trial.senders[0]?.receipts.size).toBe(0);
  for (const undo of heal) undo();
  await trial.allReceipts();
  await service.stop();
  await trial.audit();
});
