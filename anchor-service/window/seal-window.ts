/** Closes a window: the tree over every statement that is in none yet, and its record. Implements spec/window.md. */
import { concatBytes } from '../../core/bytes.ts';
import type { Hash } from '../../core/hash.ts';
import { encodeWindowRecord, windowRecordHash, windowTree } from '../../core/window.ts';
import type { AtCommitPoint } from '../commit-points.ts';
import type { Clock, SealedWindow, ServiceIdentity, WindowStore } from '../ports.ts';

export type SealOptions = {
  readonly store: WindowStore;
  readonly identity: ServiceIdentity;
  readonly clock: Clock;
  readonly sha256: Hash;
  readonly atCommitPoint: AtCommitPoint;
  readonly maxStatements: number;
  /** While as many windows are not in a block yet, this one stays open: later statements cost no more gas. */
  readonly maxUnmined: number;
};

/** @returns undefined when there is nothing to seal, or no room */
export function sealWindow(options: SealOptions): SealedWindow | undefined {
  const { store, identity, clock, sha256 } = options;
  if (store.countUnmined() >= options.maxUnmined) return undefined;
  const statements = store.openStatements(options.maxStatements);
  if (statements.length === 0) return undefined;
  const tree = windowTree(
    statements.map(({ label, hash }) => concatBytes(label, hash)),
    sha256,
  );
  const last = store.lastWindow();
  const seq = last === undefined ? 0 : last.seq + 1;
  const record = encodeWindowRecord({
    ...identity,
    windowSeq: BigInt(seq - identity.firstWindow),
    treeSize: tree.size,
    root: tree.root(),
    previousHash: last?.hash ?? new Uint8Array(32),
  });
  const hash = windowRecordHash(record, sha256);
  const window = { seq, record, hash, treeSize: tree.size };
  store.seal(window, statements, clock.nowMs());
  // Durable now: the record and the place of each statement, for good. Recovery anchors this very record.
  options.atCommitPoint('window-sealed');
  return window;
}
