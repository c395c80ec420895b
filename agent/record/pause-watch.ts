/**
 * What is captured during a pause goes before anything is recorded of it, and the gap says so.
 * Implements spec/chunk-header.md, "Gaps".
 */
import type { CaptureBlock, Pause, PauseState } from '../ports.ts';
import type { GapList } from './gap-list.ts';

export class PauseWatch {
  readonly #state: PauseState;
  /** One for the journal, one for the chunk. */
  readonly #lists: readonly GapList[];
  #pause: Pause | undefined;

  constructor(state: PauseState, lists: readonly GapList[]) {
    this.#state = state;
    this.#lists = lists;
  }

  /** As of the newest block. */
  get pause(): Pause | undefined {
    return this.#pause;
  }

  /**
   * @param reachNs wall clock: everything that arrived before it was in the blocks before
   * @returns the block, or the same without a frame: what the kernel lost and how the interfaces stand is told all the
   *   same
   */
  filter(block: CaptureBlock, reachNs: bigint): CaptureBlock {
    const pause = this.#state.current();
    const wasPaused = this.#pause !== undefined;
    this.#pause = pause;
    if (pause !== undefined && !wasPaused) {
      for (const list of this.#lists) list.begin('', 'paused_by_owner', reachNs);
    }
    if (pause === undefined && wasPaused) {
      for (const list of this.#lists) list.end('', reachNs);
    }
    return pause === undefined ? block : { ...block, count: 0 };
  }
}
