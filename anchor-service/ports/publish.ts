/** What is in the folder of published windows. */
import type { ListedWindow, PublishedWindow, WindowEntries } from './window.ts';

/** Which FINAL windows are in the folder of published windows. */
export type PublishStore = {
  finalWindow(seq: number): PublishedWindow | undefined;
  entries: WindowEntries;
  /** FINAL windows from `from` on, ascending. */
  listWindows(from: number, limit: number): readonly ListedWindow[];
  /** The first FINAL window whose files may not all be there. */
  nextUnwritten(): number | undefined;
  countWritten(): number;
  markWritten(seq: number, nowMs: number): void;
  /** All windows are to be written again: the folder is not what it was. */
  forgetWritten(): void;
};

/** A proof that two statements were signed for one place of a log, by the id of the one that stands. */
export type KeptFork = {
  readonly statementId: Uint8Array;
  /** Encoded fork proof. */
  readonly proof: Uint8Array;
};

/** Which fork proofs are in the folder of published files: one for each place, numbered in the order of their writing. */
export type ForkStore = {
  unwrittenForks(limit: number): readonly KeptFork[];
  countWrittenForks(): number;
  /** From this number on. */
  writtenForks(from: number, limit: number): readonly KeptFork[];
  /** The next numbers, in one transaction. */
  markForksWritten(forks: readonly Pick<KeptFork, 'statementId'>[]): void;
  /** All are to be written again: the folder is not what it was. */
  forgetWrittenForks(): void;
};
