/**
 * The beacon that chunk headers name: never an older block than the one before, and none at all when it is too old.
 * Implements spec/beacon.md, "Verification".
 */
import type { Beacon } from '../../core/beacon.ts';
import { VerificationError } from '../../core/errors.ts';
import type { BeaconBlock } from '../../core/vehicle-log.ts';

export type BeaconClock = {
  /** Unix time; may be set at any moment. */
  readonly wallMs: () => number;
  /** Never set. */
  readonly monotonicMs: () => number;
};

export class BeaconInUse {
  readonly #maxAgeMs: number;
  readonly #clock: BeaconClock;
  #lowest: bigint;
  #beacon: Beacon | undefined;
  /** Of the monotonic clock, when the beacon was published. */
  #publishedAtMs = 0;

  /** @param lastUsed number of the block that the newest header with a beacon names, from before this start */
  constructor(maxAgeMs: number, clock: BeaconClock, lastUsed: bigint | undefined) {
    this.#maxAgeMs = maxAgeMs;
    this.#clock = clock;
    this.#lowest = lastUsed ?? 0n;
  }

  /**
   * A checked beacon. The same one again changes nothing, since a broker hands out what it retained.
   * @throws VerificationError BEACON_OLDER, BEACON_TOO_OLD
   */
  take(beacon: Beacon): void {
    const { number } = beacon.block;
    if (number < this.#lowest) {
      throw new VerificationError(
        'BEACON_OLDER',
        `expected a beacon at or above block ${this.#lowest}, got ${number}`,
      );
    }
    if (number === this.#beacon?.block.number) return;
    // A wall clock behind the service's makes an age below zero, which says only that it is new.
    const ageMs = Math.max(0, this.#clock.wallMs() - beacon.publishedAtMs);
    if (ageMs > this.#maxAgeMs) {
      throw new VerificationError(
        'BEACON_TOO_OLD',
        `expected a beacon of at most ${this.#maxAgeMs} ms, got one of ${ageMs} ms`,
      );
    }
    this.#lowest = number;
    this.#beacon = beacon;
    this.#publishedAtMs = this.#clock.monotonicMs() - ageMs;
  }

  /** None while the newest is too old: a header without one is bounded by the header before. */
  current(): BeaconBlock | undefined {
    const isTooOld = this.#clock.monotonicMs() - this.#publishedAtMs > this.#maxAgeMs;
    return isTooOld ? undefined : this.#beacon?.block;
  }
}
