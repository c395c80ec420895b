import { afterEach, expect, test } from 'vitest';
import { delaying, forgingReceipts, lyingAboutFinality, wrongChainId } from './rpc-faults.ts';
import { Trial, until } from './trial.ts';

let trial: Trial;
afterEach(async () => await trial.cleanup.run());

const THREE = { proxies: 3, options: { chain: { quorum: 2 } } } as const;

async function haltCode(): Promise<string | undefined> {
  const answer = await fetch(`${trial.introduced.httpUrl}/healthz`);
  return ((await answer.json()) as { code?: string }).code;
}

async function halted(code: string): Promise<void> {
  await until(async () => (await haltCode()) !== undefined);
  expect(await haltCode()).toBe(code);
}

test.each([0, 1, 2])(
  'one endpoint of three that calls another block final is found although two agree: the one at %i',
  async (at) => {
    trial = await Trial.start(THREE);
    const service = await trial.service();
    trial.send();
    await trial.allReceipts();
    const heal = trial.proxies[at]?.set(lyingAboutFinality);
    // Nothing waits for the chain: it is looked at all the same.
    await halted('CHAIN_DISAGREEMENT');
    await service.stop();
    await trial.audit({ halted: true });

    heal?.();
    const again = await trial.service();
    trial.send();
    await trial.allReceipts();
    await again.stop();
    await trial.audit();
  },
);

test('a liar that is always slower than the others is found as well', async () => {
  trial = await Trial.start(THREE);
  const service = await trial.service();
  trial.proxies[2]?.set(lyingAboutFinality);
  trial.proxies[2]?.set(delaying(300));
  await halted('CHAIN_DISAGREEMENT');
  await service.stop();
  await trial.audit({ halted: true });
});

test('a forged receipt, status 1 and no storage, makes nothing final and halts', async () => {
  trial = await Trial.start({ proxies: 1 });
  const service = await trial.service();
  const heal = trial.proxies[0]?.set(forgingReceipts);
  trial.send();
  await trial.allAccepted();
  await halted('ANCHOR_PROOF_MISMATCH');
  expect(trial.senders[0]?.receipts.size).toBe(0);
  await service.stop();
  await trial.audit({ halted: true });

  // A person took the endpoint away: what was accepted is anchored by the transaction that was signed for it.
  heal?.();
  const again = await trial.service();
  await trial.allReceipts();
  await again.stop();
  await trial.audit();
});

test('one endpoint of three that discards transactions and forges their receipts changes nothing', async () => {
  trial = await Trial.start(THREE);
  const service = await trial.service();
  const heal = trial.proxies[0]?.set(forgingReceipts);
  trial.send();
  // The others have it in a block, which is what the proof shows, whatever block the liar names.
  await trial.allReceipts();
  heal?.();
  await service.stop();
  await trial.audit();
});

test('an endpoint of another chain is refused before anything is sent', async () => {
  trial = await Trial.start(THREE);
  trial.proxies[2]?.set(wrongChainId);
  const refused = trial.begin();
  expect(await refused.ended).toBe(1);
  expect(refused.log.join('\n')).toContain('CHAIN_ID_MISMATCH');
  expect(trial.proxies[0]?.calls.get('eth_sendRawTransaction')).toBeUndefined();
});

test('an endpoint that comes back with another chain is refused, and what was accepted is kept', async () => {
  trial = await Trial.start({ proxies: 1 });
  const first = await trial.service();
  await first.stop();
  const heal = trial.proxies[0]?.set(wrongChainId);
  const service = trial.begin();
  expect(await service.ended).toBe(1);
  expect(service.log.join('\n')).toContain('CHAIN_ID_MISMATCH');
  heal?.();
  const again = await trial.service();
  trial.send();
  await trial.allReceipts();
  await again.stop();
  await trial.audit();
});
