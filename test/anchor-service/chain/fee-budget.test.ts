import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DAY_S, FeeBudget } from '../../../anchor-service/chain/fee-budget.ts';
import type { CountedNonce } from '../../../anchor-service/ports.ts';

const GAS = 80_000n;

type Nonce = { cost: bigint; settledAtS: number | undefined };

/** A store of nonces as the real one answers: not settled, or settled after a time. */
function budgetOver(nonces: readonly Nonce[], daily: bigint, maxFeeCap = 10n, maxUnmined = 1) {
  const countedNonces = (sinceS: number): readonly CountedNonce[] =>
    nonces
      .filter(({ settledAtS }) => settledAtS === undefined || settledAtS > sinceS)
      .map(({ cost, settledAtS }) => ({
        worstCost: cost,
        gasLimit: GAS,
        isSettled: settledAtS !== undefined,
      }));
  const newestSettlementS = (): number =>
    Math.max(0, ...nonces.map(({ settledAtS }) => settledAtS ?? 0));
  return new FeeBudget({
    store: { countedNonces, newestSettlementS },
    daily,
    maxFeeCap,
    maxUnmined,
  });
}

function codeOf(act: () => void): unknown {
  try {
    act();
    return undefined;
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}

test('a nonce counts until a day after it is settled, and for ever while it is not', () => {
  const budget = budgetOver(
    [
      { cost: 5n, settledAtS: 1000 },
      { cost: 7n, settledAtS: undefined },
    ],
    100n,
  );
  expect(budget.state.spentWei).toBe(12n);
  budget.advanceTo(1000 + DAY_S - 1);
  expect(budget.state.spentWei).toBe(12n);
  budget.advanceTo(1000 + DAY_S);
  expect(budget.state.spentWei).toBe(7n);
  budget.advanceTo(10 * DAY_S);
  expect(budget.state.spentWei).toBe(7n);
});

test('time goes forward only: a block of an earlier time frees nothing and brings nothing back', () => {
  const budget = budgetOver([{ cost: 5n, settledAtS: 1000 }], 100n);
  budget.advanceTo(1000 + DAY_S);
  budget.advanceTo(1000);
  expect(budget.state.spentWei).toBe(0n);
});

test('a replacement counts with what it costs more than its nonce does already', () => {
  const budget = budgetOver([{ cost: 60n, settledAtS: undefined }], 100n);
  expect(codeOf(() => budget.require(41n))).toBe('FEE_BUDGET_REACHED');
  expect(budget.state.isReached).toBe(true);
  expect(codeOf(() => budget.require(100n, 60n))).toBeUndefined();
  expect(budget.state.isReached).toBe(false);
  expect(codeOf(() => budget.require(101n, 60n))).toBe('FEE_BUDGET_REACHED');
});

test('there is room at the cap when all that waits can be paid at the cap', () => {
  // One under way, one that may wait and the open one: three windows at 80,000 gas and 10 wei.
  const three = 3n * GAS * 10n;
  const nonces = [{ cost: 1n, settledAtS: undefined }];
  expect(budgetOver(nonces, three).hasRoomAtTheCap).toBe(true);
  expect(budgetOver(nonces, three - 1n).hasRoomAtTheCap).toBe(false);
});

test('whatever is signed and settled when, no 24 hours are paid more than the budget', () => {
  const step = fc.record({
    afterS: fc.integer({ min: 0, max: 20_000 }),
    cost: fc.bigInt({ min: 1n, max: 60n }),
    paidAfterS: fc.integer({ min: 0, max: 30_000 }),
    settledAfterS: fc.integer({ min: 0, max: 10_000 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const nonces: (Nonce & { willSettleS: number })[] = [];
      const budget = budgetOver(nonces, 100n);
      const payments: { atS: number; cost: bigint }[] = [];
      let nowS = 1_000_000;
      for (const { afterS, cost, paidAfterS, settledAfterS } of steps) {
        nowS += afterS;
        for (const nonce of nonces)
          if (nonce.willSettleS <= nowS) nonce.settledAtS = nonce.willSettleS;
        budget.advanceTo(nowS);
        if (codeOf(() => budget.require(cost)) !== undefined) continue;
        const atS = nowS + paidAfterS;
        payments.push({ atS, cost });
        nonces.push({ cost, settledAtS: undefined, willSettleS: atS + settledAfterS });
      }
      for (const { atS } of payments) {
        const inDay = payments.filter((each) => each.atS > atS - DAY_S && each.atS <= atS);
        expect(inDay.reduce((sum, each) => sum + each.cost, 0n)).toBeLessThanOrEqual(100n);
      }
    }),
  );
});
