/**
 * Makes windows FINAL: only when the state under a header that a quorum calls finalized proves the contract's
 * code and the window's hash in its slot. Implements spec/finality.md, "Final".
 * What contradicts what was final before, or what the chain itself said, halts the service: no repair is safe.
 */
import { equalBytes, toHex } from '../../core/bytes.ts';
import { OperationalError } from '../../core/errors.ts';
import { verifyEvmAnchor } from '../../core/evm/anchor-proof.ts';
import { encodeHeaderLink } from '../../core/evm/header-link-record.ts';
import { anchorSlot } from '../../core/evm/state-proof.ts';
import { encodeAnchoredWindow } from '../../core/receipt.ts';
import { decodeWindowRecord } from '../../core/window.ts';
import type { AtCommitPoint } from '../commit-points.ts';
import type {
  BeaconStore,
  ChainBlock,
  HopStore,
  PendingWindow,
  ServiceIdentity,
  TransactionStore,
} from '../ports.ts';
import { ANCHOR_LOG_CODE_HASH } from './anchor-log-abi.ts';
import { buildHeaderLink, HISTORY_BLOCKS } from './build-header-link.ts';
import { type Block, blockAt, type Endpoints, timestampOf } from './endpoints.ts';
import { findReceipt } from './mined-receipt.ts';
import { readNumber, toDataHex } from './rpc-values.ts';
import { type ProvenSlot, provenNonce, proveSlot } from './state-proof.ts';

export type FinalizerOptions = {
  readonly endpoints: Endpoints;
  readonly store: TransactionStore;
  readonly beacons: BeaconStore;
  readonly hops: Pick<HopStore, 'newestHops'>;
  readonly identity: ServiceIdentity;
  readonly atCommitPoint: AtCommitPoint;
};

/**
 * A vehicle's statements stand in windows that need not be neighbours: a link shows a few of those before, so that a
 * vehicle that is on its way asks for nothing, and the newest hops, which lead to all others.
 */
const WINDOWS_TO_LINK = 16;
/**
 * A hash has no time, and a header takes 611 bytes: a link carries those of so many beacons that its statements name,
 * and of every so many of the others with the oldest, so that each beacon has a time at or a little below it.
 */
const NAMED_TIMES = 16;
const TIME_EVERY_BEACONS = 8;

export class Finalizer {
  readonly #options: FinalizerOptions;

  constructor(options: FinalizerOptions) {
    this.#options = options;
  }

  /**
   * @returns the block that all of it was looked at under, and whether a window became FINAL
   * Looks at finality also while nothing waits for it: a disagreement must not be found out a window later.
   */
  async step(): Promise<{ readonly block: Block; readonly isAnyFinal: boolean }> {
    const { endpoints, store } = this.#options;
    const block = await endpoints.finalized();
    await this.#requireStillFinal(block);
    let isAnyFinal = false;
    // In order: a window's link reaches back to the windows before it.
    for (const window of store.pendingWindows(64)) {
      if (!(await this.#finalize(window, block))) break;
      isAnyFinal = true;
    }
    return { block, isAnyFinal };
  }

  /** A finalized block that went away takes every conclusion with it. */
  async #requireStillFinal(block: Block): Promise<void> {
    const { endpoints, store } = this.#options;
    const [last] = store.newestFinalBlocks(1);
    // An endpoint that is behind is no contradiction.
    if (last === undefined || block.number < last.number) return;
    const now =
      block.number === last.number ? block : await endpoints.any((e) => blockAt(e, last.number));
    if (!equalBytes(now.hash, last.hash)) {
      throw halt('FINALITY_REVERSED', `block ${last.number} was final and is another block now`);
    }
  }

  async #finalize(window: PendingWindow, block: Block): Promise<boolean> {
    const { store } = this.#options;
    if (window.state === 'SEALED') return false;
    const mined = window.state === 'MINED';
    const due = mined
      ? block.number >= (window.minedBlock ?? Number.POSITIVE_INFINITY)
      : await this.#isNonceFinal(window, block);
    if (!due) return false;
    const proven = await this.#prove(window, block);
    if (equalBytes(proven.value, window.hash)) {
      // Anchored, whether or not any endpoint shows a receipt for it.
      if (!mined) store.markMined(window.seq, block.number);
      await this.#markFinal(window, block, proven);
      return true;
    }
    if (mined) await this.#requireReorged(window, proven);
    // Proven final: the nonce was used, and not for us. The same call goes out under a new one.
    else if (window.nonce !== undefined) {
      store.abandonNonce(window.seq, window.nonce, timestampOf(block));
      // Durable now: the nonce is used up and the window SEALED again. Recovery signs it under the next nonce.
      this.#options.atCommitPoint('nonce-abandoned');
    }
    return false;
  }

  /** Used by something in a finalized state. Asked first, since a proof is dear and this is seldom so. */
  async #isNonceFinal(window: PendingWindow, block: Block): Promise<boolean> {
    const { endpoints, identity } = this.#options;
    const { nonce } = window;
    if (nonce === undefined) return false;
    const parameters = [toDataHex(identity.publisher), 'latest'];
    const counts = await endpoints.answers(async (endpoint) =>
      readNumber(await endpoint.call('eth_getTransactionCount', parameters), 'nonce'),
    );
    if (Math.max(...counts) <= nonce) return false;
    return (await provenNonce(endpoints, block, identity.publisher)) > nonce;
  }

  async #prove(window: PendingWindow, block: Block): Promise<ProvenSlot> {
    const { endpoints, identity } = this.#options;
    const slot = anchorSlot(identity.publisher, BigInt(window.windowSeq));
    const proven = await proveSlot(endpoints, block, identity.contract, slot);
    const { account, value } = proven;
    if (account === undefined || toDataHex(account.codeHash) !== ANCHOR_LOG_CODE_HASH) {
      throw halt(
        'CONTRACT_GONE',
        `finalized block ${block.number} has no AnchorLog at 0x${toHex(identity.contract)}`,
      );
    }
    if (!equalBytes(value, window.hash) && value.some((byte) => byte !== 0)) {
      throw halt('ANCHOR_CONFLICT', `another record is anchored for window ${window.seq}`);
    }
    return proven;
  }

  /** The slot is empty although its block is final: fine only if the block went away in between. */
  async #requireReorged(window: PendingWindow, proven: ProvenSlot): Promise<void> {
    const receipt = await findReceipt(this.#options.endpoints, window.attempts);
    if (receipt === undefined || receipt.blockNumber !== window.minedBlock) return;
    throw halt(
      'ANCHOR_PROOF_MISMATCH',
      `expected 0x${toHex(window.hash)} for window ${window.seq}, got 0x${toHex(proven.value)}`,
    );
  }

  async #markFinal(window: PendingWindow, block: Block, proven: ProvenSlot): Promise<void> {
    const { endpoints, store, beacons, hops, identity, atCommitPoint } = this.#options;
    const oldest = Math.max(1, block.number - HISTORY_BLOCKS);
    const { recent, named } = await beacons.beaconsToLink(window.seq, oldest);
    const wanted = [
      ...named.slice(0, NAMED_TIMES),
      ...recent.filter((_, i) => isTimed(i, recent.length)),
      ...[...named, ...recent, ...hops.newestHops(2)].map(withoutHeader),
      ...store.newestFinalBlocks(WINDOWS_TO_LINK),
    ];
    const { link } = await buildHeaderLink(endpoints, identity.chainId, block, wanted);
    const { header, hash, number } = block;
    const receipt = await findReceipt(endpoints, window.attempts);
    const anchor = { kind: 'evm', header, nodes: proven.nodes } as const;
    // What goes out is read as its readers will read it.
    verifyEvmAnchor(decodeWindowRecord(window.record), window.hash, anchor);
    store.markFinal(window.seq, {
      anchored: encodeAnchoredWindow({
        record: window.record,
        anchors: [anchor],
      }),
      link: encodeHeaderLink(link),
      block: { number, hash, timestampS: timestampOf(block) },
      transaction:
        receipt === undefined
          ? undefined
          : { hash: receipt.transactionHash, gasUsed: receipt.gasUsed },
    });
    // Durable now: the whole shared part of the receipts, and who is owed one. Recovery publishes them.
    atCommitPoint('window-final');
  }
}

function isTimed(i: number, count: number): boolean {
  return i === count - 1 || i % TIME_EVERY_BEACONS === TIME_EVERY_BEACONS - 1;
}

function withoutHeader({ number, hash }: ChainBlock): ChainBlock {
  return { number, hash };
}

function halt(code: string, message: string): OperationalError {
  return new OperationalError(code, message, { retryable: false });
}
