/** Removes statements that were published longer ago than they are kept. Implements spec/uplink.md, "Kept no longer". */
import type { AtCommitPoint } from '../commit-points.ts';
import type { RetentionStore, WindowPlace } from '../ports.ts';

/**
 * Places of one transaction: a few tens of milliseconds on a slow disk, in which nothing else is done. Stretches
 * begin at multiples of it, so another number needs a store that knows both.
 */
const STRETCH = 256;
const START: WindowPlace = { windowSeq: 0, windowIndex: 0 };
/** How often it is looked whether what had to be kept may go now, such as what was a vehicle's newest statement. */
const LOOK_AGAIN_MS = 3_600_000;

export type PrunerOptions = {
  readonly store: RetentionStore;
  /** Since a window's final block, by the chain's time. */
  readonly keptS: number;
  /** Does not follow the time of day. */
  readonly monotonicMs: () => number;
  readonly atCommitPoint: AtCommitPoint;
};

export class Pruner {
  readonly #options: PrunerOptions;
  #from = START;
  #startedMs: number;
  #pruned = 0;

  constructor(options: PrunerOptions) {
    this.#options = options;
    this.#startedMs = options.monotonicMs();
  }

  /** Statements, since this process started. */
  get pruned(): number {
    return this.#pruned;
  }

  /**
   * One stretch of one window, in one transaction. Where it looks next is in memory alone: a kill before the commit
   * leaves the statements as they were, one after it leaves all that must stay, and the next start looks from the
   * first window on.
   * @returns whether there may be more to do
   */
  step(): boolean {
    const { store, keptS, monotonicMs, atCommitPoint } = this.#options;
    if (monotonicMs() - this.#startedMs >= LOOK_AGAIN_MS) {
      this.#from = START;
      this.#startedMs = monotonicMs();
    }
    const place = store.nextPlace(this.#from, keptS);
    if (place === undefined) return false;
    const { windowSeq } = place;
    const windowIndex = Math.floor(place.windowIndex / STRETCH) * STRETCH;
    const count = store.prune({ windowSeq, windowIndex }, STRETCH);
    this.#from = { windowSeq, windowIndex: windowIndex + STRETCH };
    this.#pruned += count;
    // Durable now: the statements are gone, and their places and entries stand. Nobody is told.
    if (count > 0) atCommitPoint('statements-pruned');
    return true;
  }
}
