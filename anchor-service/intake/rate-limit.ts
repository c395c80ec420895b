/**
 * A bucket of tokens for each vehicle: what one may send, however many others there are.
 * Implements spec/uplink.md, "Too much". Only vehicles that sent lately have a bucket, so that names which
 * somebody makes up cost nothing for long.
 */
import type { Clock } from '../ports.ts';

export type RateLimitOptions = {
  /** Tokens that come back each second. */
  readonly perSecond: number;
  /** Tokens of a vehicle that has been silent. */
  readonly burst: number;
  /** Monotonic, so that a clock which is set changes nothing. */
  readonly clock: Clock;
};

type Bucket = { tokens: number; atMs: number };

/** Looked through for full buckets at so many new ones. */
const SWEEP_EVERY = 10_000;

export class RateLimit {
  readonly #options: RateLimitOptions;
  readonly #buckets = new Map<string, Bucket>();
  #untilSweep = SWEEP_EVERY;

  constructor(options: RateLimitOptions) {
    this.#options = options;
  }

  /** How many vehicles it knows about. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Takes a token. @returns ms until there is one: 0 when there was, and else nothing was taken */
  take(vehicle: string): number {
    const bucket = this.#filled(vehicle);
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return 0;
    }
    return Math.ceil(((1 - bucket.tokens) * 1000) / this.#options.perSecond);
  }

  #filled(vehicle: string): Bucket {
    const { perSecond, burst, clock } = this.#options;
    const nowMs = clock.nowMs();
    const known = this.#buckets.get(vehicle);
    if (known === undefined) {
      this.#sweep(nowMs);
      const bucket = { tokens: burst, atMs: nowMs };
      this.#buckets.set(vehicle, bucket);
      return bucket;
    }
    const passedMs = Math.max(0, nowMs - known.atMs);
    known.tokens = Math.min(burst, known.tokens + (passedMs * perSecond) / 1000);
    known.atMs = nowMs;
    return known;
  }

  /** A bucket that is full again says no more than none. */
  #sweep(nowMs: number): void {
    this.#untilSweep -= 1;
    if (this.#untilSweep > 0) return;
    this.#untilSweep = SWEEP_EVERY;
    const { perSecond, burst } = this.#options;
    for (const [vehicle, { tokens, atMs }] of this.#buckets) {
      if (tokens + ((nowMs - atMs) * perSecond) / 1000 >= burst) this.#buckets.delete(vehicle);
    }
  }
}
