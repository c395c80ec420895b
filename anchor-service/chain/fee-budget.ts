/**
 * What may be spent in any 24 hours, in the chain's own time. Implements spec/finality.md, "Fee budget".
 *
 * A nonce counts with the most that it can cost, from before anybody sees its first transaction until 24 hours
 * after it is proven settled. Whatever is paid in any 24 hours was counted together when the last of it was
 * signed, so it is never above the budget; and what is counted is in the store, so a restart forgets nothing.
 */
import { OperationalError } from '../../core/errors.ts';
import type { CountedNonce, FeeBudget as FeeBudgetState, TransactionStore } from '../ports.ts';

export const DAY_S = 86_400;
/** AnchorLog takes 46,288; more than enough is signed for, and what is not used is not paid. */
export const MIN_GAS_LIMIT = 80_000n;

export type FeeBudgetOptions = {
  readonly store: Pick<TransactionStore, 'countedNonces' | 'newestSettlementS'>;
  /** Wei in any 24 hours. */
  readonly daily: bigint;
  /** Wei per gas: no transaction offers more. */
  readonly maxFeeCap: bigint;
  /** Windows that may be sealed and in no block. */
  readonly maxUnmined: number;
};

export class FeeBudget {
  readonly #options: FeeBudgetOptions;
  /** Only ever forward: the time of the newest block that was proven final. */
  #nowS: number;
  #counted = 0n;
  #hasRoomAtTheCap = false;
  #isReached = false;

  constructor(options: FeeBudgetOptions) {
    this.#options = options;
    this.#nowS = options.store.newestSettlementS();
    this.refresh();
  }

  get state(): FeeBudgetState {
    return {
      limitWei: this.#options.daily,
      spentWei: this.#counted,
      isReached: this.#isReached,
    };
  }

  /**
   * Whether the next window will be paid for even if every window before it is paid for at the cap: then a
   * promise about it does not hang on the budget. Otherwise what is counted now is gone a day after it is settled.
   */
  get hasRoomAtTheCap(): boolean {
    return this.#hasRoomAtTheCap;
  }

  /** @param timestampS of a block that a quorum calls finalized: an endpoint alone could move a clock forward */
  advanceTo(timestampS: number): void {
    this.#nowS = Math.max(this.#nowS, timestampS);
    this.refresh();
  }

  /** Counts again; after every signature and settlement. */
  refresh(): void {
    // Not below zero, which is when what this service never counted was settled.
    const nonces = this.#options.store.countedNonces(Math.max(0, this.#nowS - DAY_S));
    this.#counted = sum(nonces.map(({ worstCost }) => worstCost));
    this.#hasRoomAtTheCap = this.#atTheCap(nonces) <= this.#options.daily;
  }

  /**
   * @param cost wei: the most that the transaction can cost
   * @param replaced wei: what its nonce already counts with
   * @throws OperationalError FEE_BUDGET_REACHED (retryable)
   */
  require(cost: bigint, replaced = 0n): void {
    const { daily } = this.#options;
    this.refresh();
    const more = cost > replaced ? cost - replaced : 0n;
    this.#isReached = this.#counted + more > daily;
    if (!this.#isReached) return;
    throw new OperationalError(
      'FEE_BUDGET_REACHED',
      `expected at most ${daily} wei in 24 hours, got ${this.#counted} and ${more} more`,
      { retryable: true },
    );
  }

  /** Settled nonces as they are, all others at the cap, and every window that may wait or be open now. */
  #atTheCap(nonces: readonly CountedNonce[]): bigint {
    const { maxFeeCap, maxUnmined } = this.#options;
    const settled = nonces.filter(({ isSettled }) => isSettled);
    const underWay = BigInt(nonces.length - settled.length);
    const gas = nonces.reduce((most, { gasLimit }) => larger(most, gasLimit), MIN_GAS_LIMIT);
    const waiting = BigInt(maxUnmined + 1);
    return sum(settled.map(({ worstCost }) => worstCost)) + (underWay + waiting) * gas * maxFeeCap;
  }
}

function sum(values: readonly bigint[]): bigint {
  return values.reduce((total, value) => total + value, 0n);
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
