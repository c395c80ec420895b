/**
 * The time of day for promises, never before a block that is there: a service whose clock is slow would promise a
 * time that is over by the chain, and hand out the proof that it broke its word.
 */
import type { Clock } from './ports.ts';

/** What one endpoint may claim at most: it alone could move the time on. */
const MAX_AHEAD_MS = 86_400_000;

export class ChainClock implements Clock {
  readonly #wall: Clock;
  #blockMs = 0;

  constructor(wall: Clock) {
    this.#wall = wall;
  }

  nowMs(): number {
    const wallMs = this.#wall.nowMs();
    return Math.min(Math.max(wallMs, this.#blockMs), wallMs + MAX_AHEAD_MS);
  }

  /** @param timestampS of a block of the chain */
  sawBlock(timestampS: bigint): void {
    this.#blockMs = Math.max(this.#blockMs, Number(timestampS) * 1000);
  }
}
