/** What a monitor can find wrong, each with its code. Implements spec/monitor.md, "Findings". */

export type FindingCode =
  | 'HIDDEN_WINDOW'
  | 'LIST_MISSING'
  | 'LIST_CHANGED'
  | 'RECORD_MISMATCH'
  | 'RECORD_OUT_OF_CHAIN'
  | 'WINDOW_SKIPPED'
  | 'WINDOW_NOT_ANCHORED'
  | 'ANCHOR_INVALID'
  | 'INDEX_INVALID'
  | 'EQUIVOCATION'
  | 'FORK'
  | 'PROMISE_BROKEN';

export type Finding = {
  readonly code: FindingCode;
  /** What it is about: one finding of a code for each subject is told once. */
  readonly subject: string;
  /** One sentence with what was expected and what was found. */
  readonly detail: string;
};

export type Report = (finding: Finding) => void;
