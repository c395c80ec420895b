/**
 * The moments right after something became durable and right before its effect, by name.
 * ARCHITECTURE.md, "Crash table", says for each what recovery does; the crash tests stop the process at each.
 */
export const COMMIT_POINTS = [
  'contract-signed',
  'contract-sent',
  'statements-committed',
  'statements-acknowledged',
  'places-written',
  'window-sealed',
  'transaction-signed',
  'transaction-sent',
  'transaction-marked-sent',
  'replacement-signed',
  'window-mined',
  'window-unmined',
  'nonce-abandoned',
  'window-final',
  'hop-committed',
  'window-written',
  'index-written',
  'fork-written',
  'fork-index-written',
  'receipt-published',
  'window-published',
  'statements-pruned',
  'beacon-stored',
  'stamp-received',
  'stamp-stored',
  'stamp-published',
  'publisher-succeeded',
] as const;

export type CommitPoint = (typeof COMMIT_POINTS)[number];

/** Called between a commit and its effect, so that a test can stop the process exactly there. */
export type AtCommitPoint = (name: CommitPoint) => void;
