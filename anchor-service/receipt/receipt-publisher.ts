/**
 * Sends every vehicle the receipts it is owed: its own inclusion and the window's shared part.
 * Implements spec/receipt.md. A receipt stays in the outbox until the broker has it, and may go out twice.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Hash } from '../../core/hash.ts';
import type { MerkleTree } from '../../core/merkle.ts';
import { encodeReceiptMessage, vehicleTopic } from '../../core/wire.ts';
import type { AtCommitPoint } from '../commit-points.ts';
import { inclusionAt } from '../inclusion.ts';
import type { OwedReceipt, PublishedWindow, ReceiptStore } from '../ports.ts';
import { readWindowTree } from '../window-list.ts';

/** Published together, then settled in one transaction. */
const BATCH = 1000;

export type ReceiptOptions = {
  readonly store: ReceiptStore;
  readonly sha256: Hash;
  readonly publish: (topic: string, payload: Uint8Array, retain: boolean) => Promise<void>;
  readonly atCommitPoint: AtCommitPoint;
};

export class ReceiptPublisher {
  readonly #options: ReceiptOptions;

  constructor(options: ReceiptOptions) {
    this.#options = options;
  }

  /** Publishes all that is owed. @throws OperationalError BROKER_UNREACHABLE (retryable) */
  async step(): Promise<void> {
    const { store, publish, sha256, atCommitPoint } = this.#options;
    let window: PublishedWindow | undefined;
    let tree: MerkleTree | undefined;
    for (;;) {
      const owed = store.owedReceipts(BATCH);
      if (owed.length === 0) break;
      const messages: { readonly topic: string; readonly payload: Uint8Array }[] = [];
      for (const receipt of owed) {
        if (window?.seq !== receipt.windowSeq || tree === undefined) {
          // A vehicle may ask for receipts of many windows at once, and one that is read in a single part takes no turn of its own.
          await nextTurn();
          window = requireFinal(store.finalWindow(receipt.windowSeq), receipt.windowSeq);
          tree = await readWindowTree(store.entries, window, sha256);
        }
        const payload = receiptPayload(receipt, window, tree);
        messages.push({ topic: vehicleTopic(receipt.tag, 'receipt'), payload });
      }
      await Promise.all(messages.map(({ topic, payload }) => publish(topic, payload, false)));
      // Published, and still owed in the store: recovery publishes again, which a vehicle takes once.
      atCommitPoint('receipt-published');
      store.markReceiptsPublished(owed);
    }
    if (store.markWindowsPublished() > 0) {
      // Durable now: nothing is owed for these windows. Vehicles may still ask for receipts again.
      atCommitPoint('window-published');
    }
  }
}

function receiptPayload(
  { statementId, windowIndex }: OwedReceipt,
  window: PublishedWindow,
  tree: MerkleTree,
): Uint8Array {
  const inclusion = inclusionAt(statementId, windowIndex, window.hash, tree);
  return encodeReceiptMessage({ inclusion, window: window.anchored, link: window.link });
}

function requireFinal(window: PublishedWindow | undefined, seq: number): PublishedWindow {
  if (window === undefined) throw new Error(`window ${seq} owes receipts but is not final`);
  return window;
}
