/**
 * The time of day for promises, never before a block that a quorum calls finalized: a service whose clock is slow would
 * promise a time that is over by the chain, and hand out the proof that it broke its word. No single endpoint is asked:
 * one that shows a block of tomorrow would move every promise. The head is later by what finality takes, which
 * `intake.anchor_within_ms` leaves room for.
 */
import type { Clock } from './ports.ts';

/** A quorum of one, on a local chain, is a single endpoint after all: it may move the time on by so much. */
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

  /** @param timestampS Unix seconds of a block that the quorum agreed on as finalized */
  sawFinal(timestampS: number): void {
    this.#blockMs = Math.max(this.#blockMs, timestampS * 1000);
  }
}
