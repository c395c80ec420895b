/** What vehicles are owed, and the links that lead to their blocks. */
import type { ChainBlock } from './chain.ts';
import type { PublishedWindow, WindowEntries } from './window.ts';

/** What an answer to a vehicle is put together from. */
export type LinkStore = {
  /** Links of the windows that are final under a block from this number on, oldest first. */
  windowLinks(fromBlock: number, limit: number): readonly Uint8Array[];
  /** Links of the hops in this range, both ends in it, newest first. */
  hopLinks(from: number, to: number, limit: number): readonly Uint8Array[];
  /** The oldest hop from this number on. */
  hopFrom(number: number): ChainBlock | undefined;
  newestHops(limit: number): readonly ChainBlock[];
  /** Blocks of this number that are anchors, beacons or hops, with the page that shows each. */
  blocksAt(number: number): readonly (ChainBlock & {
    readonly page: Uint8Array | undefined;
    readonly header: Uint8Array | undefined;
  })[];
};

export type OwedReceipt = {
  /** The store's own number of the statement. */
  readonly n: number;
  readonly statementId: Uint8Array;
  readonly tag: Uint8Array;
  readonly windowSeq: number;
  readonly windowIndex: number;
  /** How often it was asked for since it is owed. */
  readonly asked: number;
};

export type ReceiptStore = {
  /** In the order of windows and places. */
  owedReceipts(limit: number): readonly OwedReceipt[];
  finalWindow(seq: number): PublishedWindow | undefined;
  entries: WindowEntries;
  /** Removes the receipts from the outbox, but for those that were asked for again meanwhile. */
  markReceiptsPublished(receipts: readonly Pick<OwedReceipt, 'n' | 'asked'>[]): void;
  /** FINAL windows without owed receipts whose files are written become PUBLISHED. @returns how many did */
  markWindowsPublished(): number;
};
