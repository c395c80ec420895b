/** Closes a window: the tree over every statement that is in none yet, and its record. Implements spec/window.md. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Hash } from '../../core/hash.ts';
import { encodeWindowRecord, growWindowTree, windowRecordHash } from '../../core/window.ts';
import type { AtCommitPoint } from '../commit-points.ts';
import type { Clock, OpenStatement, SealedWindow, ServiceIdentity, WindowStore } from '../ports.ts';
import { inTurns } from '../turns.ts';
import { byLabel } from './by-label.ts';

/** Statements that are read or placed at once: some ten milliseconds of a slow disk, and of the intake's time. */
const PART = 512;

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

/**
 * In parts, with a turn of the event loop behind each: however large the window is, vehicles are answered and the lease
 * has its beat meanwhile. The places are written first, and mean nothing until the record, in one transaction, says that
 * there is such a window. A kill before leaves places without a window, which the next round takes back.
 * @returns undefined when there is nothing to seal, or no room
 */
export async function sealWindow(options: SealOptions): Promise<SealedWindow | undefined> {
  const { store, identity, clock, sha256, atCommitPoint } = options;
  while ((await store.takeBack(PART)) > 0);
  if (store.countUnmined() >= options.maxUnmined) return undefined;
  const statements = await readOpen(store, options.maxStatements);
  if (statements.length === 0) return undefined;
  const { entries, places } = await inTurns(byLabel(statements));
  const tree = await inTurns(growWindowTree(entries, sha256));
  const last = store.lastWindow();
  const seq = last === undefined ? 0 : last.seq + 1;
  // In the order of acceptance, in which they lie in the store: by label, each would be on another page.
  for (let from = 0; from < statements.length; from += PART) {
    const part = statements.slice(from, from + PART);
    await store.place(
      seq,
      part.map(({ n }, i) => ({ n, index: places[from + i] ?? 0 })),
    );
    // No window yet: the next start takes back what has a place.
    atCommitPoint('places-written');
  }
  const record = encodeWindowRecord({
    ...identity,
    windowSeq: BigInt(seq - identity.firstWindow),
    treeSize: tree.size,
    root: tree.root(),
    previousHash: last?.hash ?? new Uint8Array(32),
  });
  const hash = windowRecordHash(record, sha256);
  const window = { seq, record, hash, treeSize: tree.size };
  store.seal(window, clock.nowMs());
  // Durable now: the record and the place of each statement, for good. Recovery anchors this very record.
  atCommitPoint('window-sealed');
  return window;
}

/** Also what comes while it reads, up to the limit: the window is closed by its end. */
async function readOpen(store: WindowStore, limit: number): Promise<readonly OpenStatement[]> {
  const statements: OpenStatement[] = [];
  while (statements.length < limit) {
    const part = store.openStatements(
      statements.at(-1)?.n ?? -1,
      Math.min(PART, limit - statements.length),
    );
    statements.push(...part);
    if (part.length < PART) break;
    await nextTurn();
  }
  return statements;
}
