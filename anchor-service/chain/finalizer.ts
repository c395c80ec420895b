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
import { type Block, blockAt, type Endpoints } from './endpoints.ts';
import { findReceipt } from './mined-receipt.ts';
import { readNumber, toDataHex } from './rpc-values.ts';
import { type ProvenSlot, proveSlot } from './state-proof.ts';

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

  /** @returns whether a window became FINAL */
  async step(): Promise<boolean> {
    const { endpoints, store } = this.#options;
    const [first] = store.pendingWindows(1);
    if (first === undefined || first.state === 'SEALED') return false;
    const block = await endpoints.finalized();
    // Also while nothing is mined: a chain that lost what was final may never take another transaction.
    await this.#requireStillFinal(block);
    if (first.state !== 'MINED' && !(await this.#isNonceUsed(first))) return false;
    let any = false;
    // In order: a window's link reaches back to the windows before it.
    for (const window of store.pendingWindows(64)) {
      if (!(await this.#finalize(window, block))) break;
      any = true;
    }
    return any;
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
    const mined = window.state === 'MINED';
    const due = mined
      ? block.number >= (window.minedBlock ?? Number.POSITIVE_INFINITY)
      : window.nonce !== undefined && (await this.#finalNonce(block)) > BigInt(window.nonce);
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
    else if (window.nonce !== undefined) store.abandonNonce(window.seq, window.nonce);
    return false;
  }

  /** A hint for when it is worth proving that a window without a receipt is anchored or lost. */
  async #isNonceUsed(window: PendingWindow): Promise<boolean> {
    const { endpoints, identity } = this.#options;
    const parameters = [toDataHex(identity.publisher), 'latest'];
    const answer = await endpoints.any((e) => e.call('eth_getTransactionCount', parameters));
    return window.nonce !== undefined && readNumber(answer, 'nonce') > window.nonce;
  }

  /** How many transactions the sender's account has in this state; proven, not asked. */
  async #finalNonce(block: Block): Promise<bigint> {
    const { endpoints, identity } = this.#options;
    const anySlot = new Uint8Array(32);
    const { account } = await proveSlot(endpoints, block, identity.publisher, anySlot);
    return account?.nonce ?? 0n;
  }

  async #prove(window: PendingWindow, block: Block): Promise<ProvenSlot> {
    const { endpoints, identity } = this.#options;
    const slot = anchorSlot(identity.publisher, BigInt(window.seq));
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
    const { recent, named } = beacons.beaconsToLink(window.seq, oldest);
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
      block: { number, hash },
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
