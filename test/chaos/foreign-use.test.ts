import { afterEach, expect, test } from 'vitest';
import type { Crash } from '../anchor-service/crash/child-service.ts';
import { Trial, until } from './trial.ts';

let trial: Trial;
afterEach(async () => await trial.cleanup.run());

async function pooled(): Promise<void> {
  await until(async () => {
    const { pending } = (await trial.chain.rpc('txpool_status')) as { pending: string };
    return Number(pending) > 0;
  });
}

/** The pool loses ours, and a block has another transaction with its nonce. */
async function stealNonce(nonce: number): Promise<void> {
  await trial.useKey(trial.introduced.publisher, nonce);
}

test('a nonce that somebody else used is given up for good, and the window goes out under the next', async () => {
  trial = await Trial.start();
  const service = await trial.service();
  trial.send();
  await trial.allReceipts();
  await trial.chain.rpc('evm_setIntervalMining', 0);
  trial.send();
  await pooled();
  await stealNonce(2);
  await trial.chain.rpc('evm_setIntervalMining', 1);
  await trial.allReceipts();
  await service.stop();
  await trial.audit({ foreignNonces: [2] });
});

test('killed at nonce-abandoned, a restart signs the window under the next nonce', async () => {
  trial = await Trial.start();
  const crash: Crash = { point: 'nonce-abandoned' };
  const killed = trial.begin(trial.options, crash);
  await trial.introduce(killed);
  await trial.chain.rpc('evm_setIntervalMining', 0);
  trial.send();
  await pooled();
  await stealNonce(1);
  await trial.chain.rpc('evm_setIntervalMining', 1);
  expect(await killed.ended).toBe('SIGKILL');
  const service = await trial.service();
  await trial.allReceipts();
  await service.stop();
  await trial.audit({ foreignNonces: [1] });
});

test('somebody who uses the key while the service is away costs it nothing but nonces', async () => {
  trial = await Trial.start();
  const first = await trial.service();
  trial.send();
  await trial.allReceipts();
  await first.stop();
  await stealNonce(2);
  await stealNonce(3);
  const service = await trial.service();
  trial.send();
  await trial.allReceipts();
  await service.stop();
  await trial.audit({ foreignNonces: [2, 3] });
});
