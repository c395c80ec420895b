/**
 * When a frame of a replay is due: by the log's own time, at a multiple of real pace.
 */
import type { FrameBlock } from '../../core/frame.ts';
import type { ReplayClock } from './replay-clock.ts';

/** How much real time the frames of one block may span: the longest that a frame comes late. */
const BLOCK_SPAN_MS = 20;
/** Timers take no longer times than 2^31 ms. */
const LONGEST_WAIT_MS = 3_600_000;
const NS_PER_MS = 1e6;

export class Pace {
  /** A block ends before a frame that is later than its first by more than this. */
  readonly blockSpanNs: number;
  readonly #speed: number;
  readonly #clock: ReplayClock;
  readonly #stopped = new AbortController();
  #firstNs: bigint | undefined;
  #startMs = 0;
  #latestMs = 0;

  /** @param speed multiple of real pace; 0: nothing is ever waited for */
  constructor(speed: number, clock: ReplayClock) {
    this.#speed = speed;
    this.#clock = clock;
    this.blockSpanNs =
      speed === 0 ? Number.MAX_SAFE_INTEGER : Math.ceil(BLOCK_SPAN_MS * NS_PER_MS * speed);
  }

  /**
   * Resolves when the last frame of the block is due; a log that steps back does not wait.
   * @returns false when the replay was stopped
   */
  async untilDue(block: FrameBlock): Promise<boolean> {
    if (this.#speed !== 0) await this.#wait(this.#dueMs(block));
    return !this.#stopped.signal.aborted;
  }

  #dueMs(block: FrameBlock): number {
    if (this.#firstNs === undefined) {
      this.#firstNs = block.baseNs;
      this.#startMs = this.#clock.monotonicMs();
    }
    const baseMs = Number(block.baseNs - this.#firstNs) / NS_PER_MS;
    for (let i = 0; i < block.count; i++) {
      const logMs = baseMs + (block.offsetNs[i] ?? 0) / NS_PER_MS;
      if (logMs > this.#latestMs) this.#latestMs = logMs;
    }
    return this.#startMs + this.#latestMs / this.#speed;
  }

  async #wait(dueMs: number): Promise<void> {
    for (;;) {
      const leftMs = dueMs - this.#clock.monotonicMs();
      if (leftMs <= 0 || this.#stopped.signal.aborted) return;
      await this.#clock.waitMs(Math.min(leftMs, LONGEST_WAIT_MS), this.#stopped.signal);
    }
  }

  /** Ends any wait, now and later. */
  stop(): void {
    this.#stopped.abort();
  }
}
