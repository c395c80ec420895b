/**
 * Brings each window into the contract: signs, sends, sends again, replaces, watches for its block.
 * Implements spec/finality.md, "Sending". Each change of state is durable before what follows from it.
 *
 * | state | leaves it when |
 * |---|---|
 * | SEALED | fewer than two windows are under way: nonce, raw bytes and hash in one transaction -> SIGNED |
 * | SIGNED | an endpoint has the transaction -> SENT, or a block has it -> MINED |
 * | SENT | a block has one of its attempts -> MINED; a finalized nonce passed it without us -> SEALED |
 * | MINED | the block is gone -> SENT; a finalized state proves the anchor -> FINAL (finalizer.ts) |
 * | FINAL | every receipt is published -> PUBLISHED (receipt/) |
 */
import { equalBytes, toHex } from '../../core/bytes.ts';
import { OperationalError } from '../../core/errors.ts';
import type { AtCommitPoint } from '../commit-points.ts';
import type { Attempt, PendingWindow, TransactionStore } from '../ports.ts';
import { broadcast } from './broadcast.ts';
import type { Block, Endpoints, Head } from './endpoints.ts';
import { type FeeBudget, MIN_GAS_LIMIT } from './fee-budget.ts';
import { DEFAULT_TIP, firstFees, replacementFees } from './fees.ts';
import { RpcRefusal } from './json-rpc.ts';
import { findReceipt } from './mined-receipt.ts';
import { readQuantity, toDataHex } from './rpc-values.ts';
import { anchorCall, type Call, type Fees, type Sender } from './sender.ts';
import { provenNonce } from './state-proof.ts';

/** More would only queue: a window waits for the ones before it to become final. */
const MAX_UNDER_WAY = 2;
/** What is not in a block after so many is sent again: a pool may have dropped it. */
const RESEND_BLOCKS = 3;

export type ChainWriterOptions = {
  readonly endpoints: Endpoints;
  readonly store: TransactionStore;
  readonly sender: Sender;
  readonly contract: Uint8Array;
  readonly maxFeeCap: bigint;
  readonly budget: FeeBudget;
  readonly bumpAfterBlocks: number;
  readonly atCommitPoint: AtCommitPoint;
};

export class ChainWriter {
  readonly #options: ChainWriterOptions;
  /** Block at which an attempt was last handed out; empty after a start, so that everything goes out again. */
  readonly #sentAt = new Map<string, number>();

  constructor(options: ChainWriterOptions) {
    this.#options = options;
  }

  /** Which windows a block has, and which it has no longer. */
  async observe(head: Head): Promise<void> {
    for (const window of this.#options.store.pendingWindows(64)) {
      if (window.state !== 'SEALED') await this.#observe(window, head);
    }
  }

  /**
   * Replaces what waits too long and sends again what is under way. Needs no quorum: its nonce is signed for.
   * A replacement that is too dear, or an endpoint that refuses one form, keeps nothing else from being sent.
   * @throws OperationalError the first of what went wrong, when all is done
   */
  async sendAgain(head: Head): Promise<void> {
    const errors: OperationalError[] = [];
    const forEach = async (act: (window: PendingWindow) => Promise<void>): Promise<void> => {
      for (const window of this.#underWay()) {
        try {
          await act(window);
        } catch (error) {
          if (!(error instanceof OperationalError)) throw error;
          errors.push(error);
        }
      }
    };
    await forEach(async (window) => await this.#replaceIfDue(window, head));
    await forEach(async (window) => await this.#resend(window, head));
    const [first] = errors;
    if (first !== undefined) throw first;
  }

  /** Signs and sends the next windows. @param final a block that a quorum calls finalized */
  async sendNext(head: Head, final: Block): Promise<void> {
    for (const window of this.#options.store.pendingWindows(64)) {
      if (window.state !== 'SEALED') continue;
      if (this.#underWay().length >= MAX_UNDER_WAY) return;
      await this.#sign(window, head, final);
      for (const signed of this.#underWay()) await this.#resend(signed, head);
    }
  }

  #underWay(): readonly PendingWindow[] {
    const windows = this.#options.store.pendingWindows(64);
    return windows.filter(({ state }) => state === 'SIGNED' || state === 'SENT');
  }

  async #observe(window: PendingWindow, head: Head): Promise<void> {
    const { store, endpoints, atCommitPoint } = this.#options;
    const receipt = await findReceipt(endpoints, window.attempts);
    if (window.state === 'MINED' && receipt?.blockNumber !== window.minedBlock) {
      // An endpoint that is behind does not know the block yet; only one that passed it can deny it.
      if (receipt === undefined && head.number < (window.minedBlock ?? 0)) return;
      store.markUnmined(window.seq);
      // Durable now: the window is to be sent again. Recovery does, with the same bytes.
      atCommitPoint('window-unmined');
      for (const { hash } of window.attempts) this.#sentAt.delete(toHex(hash));
    }
    if (receipt === undefined || receipt.blockNumber === window.minedBlock) return;
    store.markMined(window.seq, receipt.blockNumber);
    // Durable now: where it was seen. Recovery asks the chain again; nothing rests on this state.
    atCommitPoint('window-mined');
  }

  async #sign(window: PendingWindow, head: Head, final: Block): Promise<void> {
    const { store, sender, contract, budget, atCommitPoint } = this.#options;
    const call = anchorCall(contract, window.windowSeq, window.hash);
    const fees = await this.#marketFees(head);
    this.#requireBelowCap(fees);
    const gasLimit = await this.#gasLimit(call);
    const nonce = await this.#nextNonce(final);
    budget.require(gasLimit * fees.feeCap);
    const signedAtBlock = head.number;
    const attempt = await sender.sign(call, { ...fees, nonce, gasLimit, signedAtBlock });
    store.signWindow(window.seq, nonce, attempt);
    budget.refresh();
    // Durable now: the nonce's only payload, before anybody saw it. Recovery sends these bytes.
    atCommitPoint('transaction-signed');
  }

  /**
   * Own memory first, and the chain only upwards, by proof: somebody else may have used the key. What is not
   * final yet of it is found out later, and then the nonce is given up. There is no counter apart from the
   * nonces that were signed.
   */
  async #nextNonce(final: Block): Promise<number> {
    const { endpoints, store, sender } = this.#options;
    const own = store.highestNonce(sender.address);
    const onChain = await provenNonce(endpoints, final, sender.address);
    return Math.max(own === undefined ? 0 : own + 1, onChain);
  }

  async #resend(window: PendingWindow, head: Head): Promise<void> {
    const { store, atCommitPoint } = this.#options;
    for (const attempt of window.attempts) {
      const sentAt = this.#sentAt.get(toHex(attempt.hash));
      if (sentAt !== undefined && head.number < sentAt + RESEND_BLOCKS) continue;
      await this.#broadcast(attempt, window);
      this.#sentAt.set(toHex(attempt.hash), head.number);
      // Sent, and nothing changed in the store: recovery sends again, which the chain takes once.
      atCommitPoint('transaction-sent');
    }
    if (window.state !== 'SIGNED') return;
    store.markSent(window.seq);
    // Durable now: an endpoint had it. Recovery sends again all the same.
    atCommitPoint('transaction-marked-sent');
  }

  /** An attempt that a later one replaced is refused by the pool, which is as it should be. */
  async #broadcast(attempt: Attempt, window: PendingWindow): Promise<void> {
    const newest = window.attempts.at(-1);
    try {
      await broadcast(this.#options.endpoints, attempt);
    } catch (error) {
      const replaced = newest !== undefined && !equalBytes(newest.hash, attempt.hash);
      if (!replaced || !(error instanceof OperationalError)) throw error;
    }
  }

  /** After 3, then 6, then 12 blocks without it: the same call, the same nonce, a higher fee. */
  async #replaceIfDue(window: PendingWindow, head: Head): Promise<void> {
    const { store, sender, contract, bumpAfterBlocks, maxFeeCap, budget } = this.#options;
    const newest = window.attempts.at(-1);
    if (newest === undefined || window.nonce === undefined) return;
    const patience = bumpAfterBlocks * 2 ** (window.attempts.length - 1);
    if (head.number < newest.signedAtBlock + patience) return;
    const fees = replacementFees(newest, await this.#marketFees(head));
    // At the cap what was sent stays valid; the next windows stay open until the market comes down.
    if (fees.feeCap > maxFeeCap) return;
    const call = anchorCall(contract, window.windowSeq, window.hash);
    const { nonce } = window;
    const { gasLimit } = newest;
    // As at the cap: without budget for more, what was sent stays valid.
    budget.require(gasLimit * fees.feeCap, gasLimit * newest.feeCap);
    const attempt = await sender.sign(call, {
      ...fees,
      nonce,
      gasLimit,
      signedAtBlock: head.number,
    });
    store.addAttempt(nonce, attempt);
    budget.refresh();
    // Durable now: one more form of the same payload. Recovery sends all forms and watches all of them.
    this.#options.atCommitPoint('replacement-signed');
  }

  #requireBelowCap(fees: Fees): void {
    const { maxFeeCap } = this.#options;
    if (fees.feeCap <= maxFeeCap) return;
    throw new OperationalError(
      'FEE_CAP_REACHED',
      `expected a fee of at most ${maxFeeCap} wei per gas, got a market at ${fees.feeCap}`,
      { retryable: true },
    );
  }

  async #marketFees(head: Head): Promise<Fees> {
    const tip = await this.#options.endpoints.middle(async (endpoint) => {
      try {
        const answer = await endpoint.call('eth_maxPriorityFeePerGas', []);
        return readQuantity(answer, 'priority fee');
      } catch (error) {
        if (!(error instanceof RpcRefusal)) throw error;
        return DEFAULT_TIP; // an endpoint without this method
      }
    });
    return firstFees(head.baseFee, tip);
  }

  async #gasLimit(call: Call): Promise<bigint> {
    const { endpoints, sender } = this.#options;
    const transaction = {
      from: toDataHex(sender.address),
      to: toDataHex(call.to ?? new Uint8Array(20)),
      data: toDataHex(call.data),
    };
    const estimate = await endpoints.middle(async (endpoint) =>
      readQuantity(await endpoint.call('eth_estimateGas', [transaction]), 'gas estimate'),
    );
    const withMargin = (estimate * 5n) / 4n;
    return withMargin > MIN_GAS_LIMIT ? withMargin : MIN_GAS_LIMIT;
  }
}
