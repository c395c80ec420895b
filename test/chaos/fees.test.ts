import { Transaction } from 'ethers';
import { afterEach, expect, test } from 'vitest';
import { decodeAcceptance } from '../../core/acceptance.ts';
import { unverifiedPayload } from '../../core/cose.ts';
import { replacementRule } from './rpc-faults.ts';
import { RpcError } from './rpc-proxy.ts';
import { Trial, until } from './trial.ts';

let trial: Trial;
afterEach(async () => await trial.cleanup.run());

const GWEI = 1_000_000_000n;
const DAY_S = 86_400;

async function readiness(): Promise<{
  readonly problems: readonly { readonly code: string }[];
  readonly feeBudget: {
    readonly limitWei: string;
    readonly spentWei: string;
    readonly reached: boolean;
  };
}> {
  const answer = await fetch(`${trial.introduced.httpUrl}/readyz`);
  return (await answer.json()) as never;
}

async function problem(code: string): Promise<void> {
  await until(async () => (await readiness()).problems.some((each) => each.code === code));
}

/** Sealed so far, whatever became of them. */
async function windows(): Promise<number> {
  return [...(await trial.state()).windows.values()].reduce((a, b) => a + b, 0);
}

async function blocksByHand(): Promise<void> {
  await trial.chain.rpc('evm_setIntervalMining', 0);
}

async function blocksByThemselves(): Promise<void> {
  await trial.chain.rpc('evm_setIntervalMining', 1);
}

async function baseFee(): Promise<bigint> {
  const block = await trial.chain.rpc('eth_getBlockByNumber', 'latest', false);
  return BigInt((block as { baseFeePerGas: string }).baseFeePerGas);
}

test('a base fee that jumps to fifty times is followed by replacements that geth would take', async () => {
  trial = await Trial.start({ proxies: 1, options: { chain: { max_fee_gwei: 1000 } } });
  trial.proxies[0]?.set(replacementRule());
  const service = await trial.service();
  await blocksByHand();
  trial.send();
  await until(async () => (await trial.state()).attempts.length === 1);
  const [first] = (await trial.state()).attempts;
  const offered = Transaction.from(first ?? '').maxFeePerGas ?? 0n;
  const spike = 50n * (offered > (await baseFee()) ? offered : await baseFee());
  // Block after block at a price that the first offer cannot pay.
  for (let i = 0; i < 12; i++) {
    await trial.chain.rpc('anvil_setNextBlockBaseFeePerGas', `0x${spike.toString(16)}`);
    await trial.chain.rpc('anvil_mine', '0x1');
    const signed = (await trial.state()).attempts.length;
    if (i === 5) await until(async () => (await trial.state()).attempts.length > 1 || signed > 1);
  }
  await blocksByThemselves();
  await trial.allReceipts();
  const attempts = (await trial.state()).attempts.map((raw) => Transaction.from(raw));
  expect(attempts.length).toBeGreaterThan(1);
  attempts.slice(1).forEach((attempt, i) => {
    const before = attempts[i];
    for (const fee of ['maxFeePerGas', 'maxPriorityFeePerGas'] as const) {
      const [now, then] = [attempt[fee] ?? 0n, before?.[fee] ?? 0n];
      expect(now * 1000n).toBeGreaterThanOrEqual(then * 1125n);
    }
  });
  expect(new Set(attempts.map(({ nonce, data }) => `${nonce} ${data}`)).size).toBe(1);
  await service.stop();
  await trial.audit();
});

test('an older form that a block has is seen, although the pool refused every newer one', async () => {
  trial = await Trial.start({ proxies: 1, options: { chain: { max_fee_gwei: 1000 } } });
  const service = await trial.service();
  let only: unknown;
  trial.proxies[0]?.set(async ({ method, params: [raw] }, next) => {
    if (method !== 'eth_sendRawTransaction') return await next();
    only ??= raw;
    if (raw !== only) throw new RpcError('replacement transaction underpriced');
    return await next();
  });
  await blocksByHand();
  trial.send();
  await until(async () => (await trial.state()).windows.get('SENT') === 1);
  for (let i = 0; i < 4; i++) {
    await trial.chain.rpc('anvil_setNextBlockBaseFeePerGas', `0x${(50n * GWEI).toString(16)}`);
    await trial.chain.rpc('anvil_mine', '0x1');
  }
  await until(async () => (await trial.state()).attempts.length > 1);
  await problem('TRANSACTION_NOT_TAKEN');
  await trial.chain.rpc('anvil_setNextBlockBaseFeePerGas', '0x1');
  await blocksByThemselves();
  await trial.allReceipts();
  const [first] = (await trial.state()).attempts;
  expect(await trial.receiptOf(first ?? '')).toMatchObject({ status: '0x1' });
  await service.stop();
  await trial.audit();
});

test('a market above the fee cap keeps the window sealed, and what comes waits for it', async () => {
  trial = await Trial.start({ proxies: 1, options: { chain: { max_fee_gwei: 20 } } });
  const service = await trial.service();
  await blocksByHand();
  await trial.chain.rpc('anvil_setNextBlockBaseFeePerGas', `0x${(50n * GWEI).toString(16)}`);
  await trial.chain.rpc('anvil_mine', '0x1');
  // A look at the chain that began before is over: it might sign by the price that it read then.
  const looks = (): number => trial.proxies[0]?.calls.get('eth_getBlockByNumber') ?? 0;
  const before = looks();
  await until(() => looks() > before + 10);
  trial.send();
  await trial.allAccepted();
  await problem('FEE_CAP_REACHED');
  expect((await trial.state()).attempts).toEqual([]);
  await trial.chain.rpc('anvil_setNextBlockBaseFeePerGas', `0x${GWEI.toString(16)}`);
  await trial.chain.rpc('anvil_mine', '0x1');
  await blocksByThemselves();
  await trial.allReceipts();
  await service.stop();
  await trial.audit();
});

test('at the daily budget the window stays open, no promise breaks, and a day later it goes on', async () => {
  trial = await Trial.start({
    options: {
      // Room for two windows at the cap of 3 gwei and 80,000 gas, which is the least that is allowed.
      chain: { max_fee_gwei: 3, daily_budget_gwei: 480_000 },
      window: { max_unmined: 1 },
      intake: { anchor_within_ms: 600_000 },
    },
  });
  const service = await trial.service();
  const promises = (): readonly number[] =>
    [...(trial.senders[0]?.accepted.values() ?? [])].map(({ acceptance }) => {
      const { acceptedAtMs, anchorByMs } = decodeAcceptance(unverifiedPayload(acceptance));
      return anchorByMs - acceptedAtMs;
    });
  trial.send();
  await trial.allReceipts();
  // Nothing counted yet: the next windows were paid for at any price below the cap.
  expect(promises()).toEqual([600_000]);
  // Until one cannot be paid for. Each window of one statement counts with what its transaction can cost: the next
  // statement waits until the one before is in a window, since two that are accepted together share one.
  const stays = async (): Promise<boolean> =>
    (await trial.state()).windows.has('SEALED') && (await readiness()).feeBudget.reached;
  for (let i = 0; i < 12 && !(await stays()); i++) {
    const before = await windows();
    trial.send();
    await until(async () => (await windows()) > before);
    await until(async () => (await stays()) || !(await trial.state()).windows.has('SEALED'));
  }
  await problem('FEE_BUDGET_REACHED');
  const stopped = await trial.state();
  const { limitWei, spentWei, reached } = (await readiness()).feeBudget;
  expect(reached).toBe(true);
  expect(BigInt(spentWei)).toBeLessThanOrEqual(BigInt(limitWei));
  const worst = worstByNonce(stopped.attempts);
  expect([...worst.values()].reduce((a, b) => a + b, 0n)).toBeLessThanOrEqual(BigInt(limitWei));

  // More is accepted, for a day later, and goes into one window.
  for (let i = 0; i < 3; i++) {
    trial.send();
    await trial.allAccepted();
  }
  expect(promises().at(-1)).toBe(600_000 + DAY_S * 1000);
  expect((await trial.state()).windows.get('SEALED')).toBe(1);
  expect(worstByNonce((await trial.state()).attempts).size).toBe(worst.size);

  // A restart forgets nothing of it.
  await service.stop();
  const again = await trial.service();
  await problem('FEE_BUDGET_REACHED');
  expect(worstByNonce((await trial.state()).attempts).size).toBe(worst.size);

  await trial.chain.rpc('evm_increaseTime', DAY_S + 60);
  await trial.allReceipts();
  await again.stop();
  await trial.audit();
});

test('a sender without ether sends nothing, loses nothing, and goes on when it has some', async () => {
  trial = await Trial.start();
  const service = await trial.service();
  const { publisher } = trial.introduced;
  await trial.chain.rpc('anvil_setBalance', `0x${publisher}`, '0x0');
  trial.send();
  await trial.allAccepted();
  await problem('TRANSACTION_NOT_TAKEN');
  trial.send();
  await trial.allAccepted();
  await trial.chain.rpc('anvil_setBalance', `0x${publisher}`, `0x${(10n ** 20n).toString(16)}`);
  await trial.allReceipts();
  await service.stop();
  await trial.audit();
});

/** The most that each nonce can cost, in wei: only one of its forms can ever take effect. */
function worstByNonce(attempts: readonly string[]): ReadonlyMap<number, bigint> {
  const worst = new Map<number, bigint>();
  for (const raw of attempts) {
    const { nonce, gasLimit, maxFeePerGas } = Transaction.from(raw);
    const cost = gasLimit * (maxFeePerGas ?? 0n);
    const known = worst.get(nonce) ?? 0n;
    worst.set(nonce, cost > known ? cost : known);
  }
  return worst;
}
