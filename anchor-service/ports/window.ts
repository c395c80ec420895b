/** What a window is made of, and the list that everybody may read of it. */
export type OpenStatement = {
  /** The store's own number, which finds the statement sooner than its id. */
  readonly n: number;
  readonly label: Uint8Array;
  readonly hash: Uint8Array;
};

export type WindowState = 'SEALED' | 'SIGNED' | 'SENT' | 'MINED' | 'FINAL' | 'PUBLISHED';

export type SealedWindow = {
  readonly seq: number;
  readonly record: Uint8Array;
  readonly hash: Uint8Array;
  readonly treeSize: number;
};

export type WindowStore = {
  /** In the order in which they were accepted, from behind this one of the store's own numbers on. */
  openStatements(afterN: number, limit: number): readonly OpenStatement[];
  /** Windows that are not in a block yet. */
  countUnmined(): number;
  lastWindow(): { readonly seq: number; readonly hash: Uint8Array } | undefined;
  /** Places in a window that has no record yet, in one transaction. Durable when it resolves. */
  place(
    seq: number,
    places: readonly { readonly n: number; readonly index: number }[],
  ): Promise<void>;
  /** Opens up to so many statements again whose window never got its record, in one transaction. @returns how many */
  takeBack(limit: number): Promise<number>;
  /** The record, after all places, in one transaction: from then on they are for good. */
  seal(window: SealedWindow, sealedAtMs: number): void;
};

/** What is published of a FINAL window, but for its list of entries, which grows with it. */
export type PublishedWindow = {
  readonly seq: number;
  readonly state: WindowState;
  readonly record: Uint8Array;
  readonly hash: Uint8Array;
  readonly treeSize: number;
  readonly anchored: Uint8Array;
  readonly link: Uint8Array;
  readonly blockNumber: number;
  readonly blockHash: Uint8Array;
  readonly transactionHash: Uint8Array | undefined;
  readonly gasUsed: number | undefined;
};

/**
 * A part of the list of a sealed window: `label ‖ hash` of the places from `from` on, ascending, so many or as many as
 * there are. Whoever wants a whole list reads it in parts (window-list.ts).
 */
export type WindowEntries = (seq: number, from: number, count: number) => readonly Uint8Array[];

export type ListedWindow = {
  readonly seq: number;
  readonly hash: Uint8Array;
  readonly treeSize: number;
};
