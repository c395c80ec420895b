/**
 * Finds out between two readings of the clocks that the wall clock was set, or that the machine was suspended.
 * Implements spec/configuration.md, "Where a chunk of a live capture ends".
 */
import type { ClockReading } from '../ports.ts';

/** A clock that is slewed goes 0.05 % wrong, 50 us in 100 ms; what is set is set by more than this. */
const NOTICED_NS = 5_000_000n;

export type ClockChange = {
  /** By how much the wall clock was set forward; negative when it was set back; 0 when it ran. */
  readonly stepNs: bigint;
  /** How long the machine was suspended; 0 when it was not. */
  readonly suspendedNs: bigint;
};

export class ClockWatch {
  #last: ClockReading;

  constructor(first: ClockReading) {
    this.#last = first;
  }

  /** What changed since the reading before. */
  read(clock: ClockReading): ClockChange {
    const last = this.#last;
    this.#last = clock;
    const elapsedNs = clock.bootNs - last.bootNs;
    return {
      // Against the clock that goes on in a suspension, as the wall clock does.
      stepNs: noticed(clock.wallNs - last.wallNs - elapsedNs),
      suspendedNs: noticed(elapsedNs - (clock.monoNs - last.monoNs)),
    };
  }
}

function noticed(ns: bigint): bigint {
  return ns > -NOTICED_NS && ns < NOTICED_NS ? 0n : ns;
}
