/** Commit points of the end of an epoch, which most runs never pass. */
import type { CommitPoint } from '../../agent/ports.ts';

export const HAND_OVER_POINTS: readonly CommitPoint[] = [
  'epoch-ending',
  'device-key-destroyed',
  'epoch-keys-destroyed',
  'epoch-moved',
  'epoch-ended',
];
