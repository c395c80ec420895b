/**
 * Holds back what is written to the vehicles' sockets for a moment, so that an acknowledgement and the answer that
 * follows it leave in one call to the kernel: it is the call that costs, not the bytes (`npm run bench`, intake).
 */
import type { Writable } from 'node:stream';

/** The answers to a group are written within it. */
const HOLD_MS = 2;

export class WriteBatch {
  readonly #held = new Set<Writable>();
  #timer: NodeJS.Timeout | undefined;

  /** From now on, for a moment. */
  hold(socket: Writable): void {
    if (this.#held.has(socket)) return;
    this.#held.add(socket);
    socket.cork();
    this.#timer ??= setTimeout(() => this.#release(), HOLD_MS);
  }

  #release(): void {
    this.#timer = undefined;
    for (const socket of this.#held) socket.uncork();
    this.#held.clear();
  }
}
