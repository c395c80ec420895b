import { afterEach, expect, test } from 'vitest';
import { Trial, until } from './trial.ts';

let trial: Trial;
afterEach(async () => await trial.cleanup.run());

async function haltCode(): Promise<string | undefined> {
  const answer = await fetch(`${trial.introduced.httpUrl}/healthz`);
  return ((await answer.json()) as { code?: string }).code;
}

/** Blocks come when a case makes them. */
async function byHand(): Promise<void> {
  await trial.chain.rpc('evm_setIntervalMining', 0);
}

async function byItself(): Promise<void> {
  await trial.chain.rpc('evm_setIntervalMining', 1);
}

async function pooled(): Promise<void> {
  await until(async () => {
    const { pending } = (await trial.chain.rpc('txpool_status')) as { pending: string };
    return Number(pending) > 0;
  });
}

test.each([1, 2, 3, 4, 5, 6])(
  'a reorganisation of %i blocks sends the window again, with the same bytes',
  async (depth) => {
    // Finality lags two epochs: it is nowhere near what goes away.
    trial = await Trial.start({ slotsInAnEpoch: 8 });
    const service = await trial.service();
    await byHand();
    trial.send();
    await pooled();
    await trial.chain.rpc('anvil_mine', `0x${depth.toString(16)}`);
    await until(async () => (await trial.state()).windows.get('MINED') === 1);
    const before = await trial.state();
    await trial.chain.rpc('anvil_reorg', depth, []);
    await until(async () => (await trial.state()).windows.get('SENT') === 1);
    // anvil puts nothing back into its pool, unlike other nodes: it is there because it was sent again.
    await pooled();
    expect(trial.senders[0]?.receipts.size).toBe(0);
    await trial.chain.rpc('evm_setIntervalMining', 1);
    await trial.chain.rpc('anvil_mine', '0x14');
    await trial.allReceipts();
    // A dearer form may stand beside them by now.
    const { attempts } = await trial.state();
    expect(attempts.slice(0, before.attempts.length)).toEqual(before.attempts);
    await service.stop();
    await trial.audit();
  },
);

test('a reorganisation below finality halts, also while nothing waits for the chain', async () => {
  trial = await Trial.start();
  const service = await trial.service();
  trial.send();
  await trial.allReceipts();
  await byHand();
  const answer = await fetch(`${trial.introduced.httpUrl}/v1/windows/0`);
  const { block } = (await answer.json()) as { block: { number: number } };
  const head = Number(await trial.chain.rpc('eth_blockNumber'));
  await trial.chain.rpc('anvil_reorg', head - block.number + 1, []);
  await byItself();
  await until(async () => (await haltCode()) !== undefined);
  expect(await haltCode()).toBe('FINALITY_REVERSED');
  await service.stop();
  await trial.audit({ halted: true, reversedFrom: block.number });
});

test('a reorganisation that removes the contract halts: a receipt with status 1 is no anchor', async () => {
  trial = await Trial.start();
  const service = await trial.service();
  await byHand();
  const head = Number(await trial.chain.rpc('eth_blockNumber'));
  await trial.chain.rpc('anvil_reorg', head, []);
  const { contract, publisher } = trial.introduced;
  expect(await trial.chain.rpc('eth_getCode', `0x${contract}`, 'latest')).toBe('0x');
  // The nonce of the deployment is free again: somebody uses it, so that the window's transaction can be mined.
  await trial.chain.rpc('anvil_setBalance', `0x${publisher}`, `0x${(10n ** 20n).toString(16)}`);
  await trial.useKey(publisher, 0);
  await byItself();
  trial.send();
  await trial.allAccepted();
  await until(async () => (await haltCode()) !== undefined);
  expect(await haltCode()).toBe('CONTRACT_GONE');
  const [raw] = (await trial.state()).attempts;
  const receipt = await trial.receiptOf(raw ?? '');
  expect(receipt).toMatchObject({ status: '0x1', logs: [] });
  await service.stop();
  await trial.audit({ halted: true });
});
