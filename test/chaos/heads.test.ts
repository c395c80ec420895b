import { afterEach, expect, test } from 'vitest';
import { failing, flipFlopping, stale } from './rpc-faults.ts';
import { Trial, until } from './trial.ts';

let trial: Trial;
afterEach(async () => await trial.cleanup.run());

async function height(): Promise<number> {
  return Number(await trial.chain.rpc('eth_blockNumber'));
}

async function problems(): Promise<readonly string[]> {
  const answer = await fetch(`${trial.introduced.httpUrl}/readyz`);
  return ((await answer.json()) as { problems: { code: string }[] }).problems.map(
    ({ code }) => code,
  );
}

test('an endpoint that shows an old head holds up finality, and is no reorganisation', async () => {
  trial = await Trial.start({ proxies: 3, options: { chain: { quorum: 2 } } });
  const service = await trial.service();
  const [first] = trial.proxies;
  const heal = first?.set(stale(await height()));
  trial.send();
  await trial.allAccepted();
  await until(async () => (await trial.state()).windows.get('MINED') === 1);
  const seen = await height();
  await until(async () => (await height()) > seen + 10);
  // Final is what no endpoint denies; mined it stays, since the others have the block.
  expect((await trial.state()).windows).toEqual(new Map([['MINED', 1]]));
  expect(await problems()).toEqual([]);
  heal?.();
  await trial.allReceipts();
  await service.stop();
  await trial.audit();
});

test('an endpoint whose head goes back and forth holds up nothing for good', async () => {
  trial = await Trial.start({ proxies: 3, options: { chain: { quorum: 2 } } });
  const service = await trial.service();
  trial.proxies[0]?.set(flipFlopping(await height()));
  for (let i = 0; i < 2; i++) {
    trial.send();
    await trial.allReceipts();
  }
  await service.stop();
  await trial.audit();
});

test('without a quorum nothing becomes final, and what is accepted waits for it', async () => {
  trial = await Trial.start({ proxies: 2, options: { chain: { quorum: 2 } } });
  const service = await trial.service();
  const heal = trial.proxies[1]?.set(failing());
  trial.send();
  await trial.allAccepted();
  await until(async () => (await problems()).includes('QUORUM_MISSING'));
  expect(trial.senders[0]?.receipts.size).toBe(0);
  heal?.();
  await trial.allReceipts();
  await service.stop();
  await trial.audit();
});
