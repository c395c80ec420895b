/**
 * Challenges that make a signed request good for one time and one run of the service.
 * Implements spec/service-http.md, "Challenge". Nothing is kept for a challenge that nobody answers.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const LIFE_MS = 60_000;
const MAX_USED = 100_000;
const HEAD_BYTES = 16;

export type ChallengeVerdict =
  | 'fresh'
  | 'CHALLENGE_UNKNOWN'
  | 'CHALLENGE_EXPIRED'
  | 'CHALLENGE_USED'
  | 'BUSY';

export class Challenges {
  /** Dies with the process: after a restart no challenge from before is known. */
  readonly #secret = randomBytes(32);
  /** Those that were answered and would still be in time, with their end, oldest first. */
  readonly #used = new Map<string, number>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** 32 bytes: end of its life (8, Unix ms), random (8), authentication code (16). */
  give(): { readonly challenge: Uint8Array; readonly expiresAtMs: number } {
    const expiresAtMs = this.#nowMs() + LIFE_MS;
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeBigUInt64BE(BigInt(expiresAtMs));
    randomBytes(8).copy(head, 8);
    return { challenge: Buffer.concat([head, this.#code(head)]), expiresAtMs };
  }

  /** From then on it is used, whatever became of the request. */
  use(challenge: Uint8Array): ChallengeVerdict {
    const bytes = Buffer.from(challenge);
    const head = bytes.subarray(0, HEAD_BYTES);
    if (!timingSafeEqual(this.#code(head), bytes.subarray(HEAD_BYTES))) return 'CHALLENGE_UNKNOWN';
    const now = this.#nowMs();
    const expiresAtMs = Number(head.readBigUInt64BE());
    if (expiresAtMs < now) return 'CHALLENGE_EXPIRED';
    this.#forget(now);
    const name = bytes.toString('hex');
    if (this.#used.has(name)) return 'CHALLENGE_USED';
    if (this.#used.size >= MAX_USED) return 'BUSY';
    this.#used.set(name, expiresAtMs);
    return 'fresh';
  }

  #forget(now: number): void {
    for (const [name, expiresAtMs] of this.#used) {
      // Not sorted by their ends, but none lives longer than LIFE_MS: what is left is forgotten soon.
      if (expiresAtMs >= now) break;
      this.#used.delete(name);
    }
  }

  #code(head: Uint8Array): Buffer {
    return createHmac('sha256', this.#secret).update(head).digest().subarray(0, 16);
  }
}
