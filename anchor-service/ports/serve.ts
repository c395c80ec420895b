/** What is answered over HTTP. */
import type { ChainBlock, PublishedHop, StoredBeacon } from './chain.ts';
import type { GivenAcceptance, StoredSession } from './intake.ts';
import type { ListedWindow, PublishedWindow, WindowEntries } from './window.ts';

export type Backlog = {
  readonly openStatements: number;
  readonly pendingWindows: number;
  readonly owedReceipts: number;
};

export type ServeStore = {
  /** FINAL windows from `from` on, ascending. */
  listWindows(from: number, limit: number): readonly ListedWindow[];
  finalWindow(seq: number): PublishedWindow | undefined;
  /** Ascending, from this block number on. */
  listHops(from: number, limit: number): readonly ChainBlock[];
  hop(number: number): PublishedHop | undefined;
  lastBeacon(): StoredBeacon | undefined;
  backlog(): Backlog;
  /** The signed acceptance of the oldest statement that is in no FINAL window. */
  oldestWaiting(): Uint8Array | undefined;
  lastFinal(): LastFinal | undefined;
  countForks(): number;
  /** Of the folder of published windows. */
  countWritten(): number;
};

/** A statement as it is given back to its vehicle. */
export type KeptStatement = {
  readonly id: Uint8Array;
  readonly bytes: Uint8Array;
  readonly session: StoredSession;
  readonly given: GivenAcceptance;
  /** None: in no window yet. */
  readonly place: { readonly windowSeq: number; readonly windowIndex: number } | undefined;
};

export type StatementStore = {
  /** Also one whose group is not durable yet, which nobody may be told of. */
  keptStatement(id: Uint8Array): KeptStatement | undefined;
  /** Resolves when all that could be read before is durable; rejects once it is unknown what is. */
  durable(): Promise<void>;
  /** All statement ids of a group commit, in order. */
  groupIds(group: number): readonly Uint8Array[];
  finalWindow(seq: number): PublishedWindow | undefined;
  entries: WindowEntries;
};

export type LastFinal = {
  readonly seq: number;
  readonly treeSize: number;
  readonly anchored: Uint8Array;
  readonly blockNumber: number;
};
