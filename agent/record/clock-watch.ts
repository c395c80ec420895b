/**
 * Finds out between two readings of the clocks that the wall clock was set, or that the machine was suspended.
 * Implements spec/configuration.md, "Where a chunk of a live capture ends".
 */
import type { ClockReading } from '../ports.ts';

/**
 * What a look may be out by (hw/native/clocks.cc; whole ms without the add-on) is far below this. Slewing adds nothing, however
 * fast: the kernel gives all three clocks one rate, and only setting moves one against another. So the bound does not grow
 * with the time between looks, which would hide what was set or slept through.
 */
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
