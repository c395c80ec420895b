/**
 * A live capture for as long as the agent runs: one session after another when a session has to end and the
 * capture need not. The capture goes on meanwhile, in the driver's memory and in the kernel's.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { OperationalError } from '../core/errors.ts';

/** How a session ended. */
export type SessionEnd = 'stopped' | 'rolled_back';

export type RunningSession = {
  /** @throws OperationalError STORAGE_*: what is durable is found out by the next session */
  run(): Promise<SessionEnd>;
  /** Seals and commits what was captured; `run` then resolves. */
  stop(): void;
  /** Lets go of spool, journal and broker. */
  close(): Promise<void>;
};

export type LiveSessionsParts = {
  readonly begin: () => RunningSession;
  /** Whether the unit can wait for its disk already when it starts: it has its keys. */
  readonly canWait: () => boolean;
  readonly onStorageFailed: (error: OperationalError) => void;
  readonly onStorageBack: () => void;
  readonly retryMs: number;
};

export class LiveSessions {
  readonly #parts: LiveSessionsParts;
  readonly #stopping = new AbortController();
  #session: RunningSession | undefined;
  /** Of the storage, since the last session began. */
  #failure: OperationalError | undefined;
  /** Monotonic. */
  #triedMs = 0;

  /**
   * The first session begins here: what is wrong with the unit or its configuration is thrown. A disk that cannot be
   * written is waited for, as it is later.
   */
  constructor(parts: LiveSessionsParts) {
    this.#parts = parts;
    try {
      this.#session = this.#begin();
    } catch (error) {
      const { code, message } = this.#storageFailure(error);
      if (parts.canWait()) return;
      const sentence = `${message}, and a unit that has no keys yet cannot begin without it`;
      throw new OperationalError(code, sentence, { retryable: false, cause: error });
    }
  }

  /** Until `stop`. @throws what is no failure of the storage */
  async run(): Promise<void> {
    for (;;) {
      this.#session ??= await this.#beginAgain();
      if (this.#session === undefined) return;
      await this.#runSession();
      if (this.#stopping.signal.aborted) return;
    }
  }

  stop(): void {
    this.#stopping.abort();
    this.#session?.stop();
  }

  #begin(): RunningSession {
    this.#triedMs = performance.now();
    return this.#parts.begin();
  }

  async #runSession(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    try {
      await session.run();
    } catch (error) {
      // What was captured last could not be committed: that is no orderly end.
      if (this.#stopping.signal.aborted) throw error;
      this.#storageFailure(error);
    } finally {
      this.#session = undefined;
      await session.close();
    }
  }

  /** A disk that is full, read-only or slow to fail may be well again: tried until it is. */
  async #beginAgain(): Promise<RunningSession | undefined> {
    for (;;) {
      await this.#pause();
      if (this.#stopping.signal.aborted) break;
      try {
        const session = this.#begin();
        if (this.#failure !== undefined) this.#parts.onStorageBack();
        this.#failure = undefined;
        return session;
      } catch (error) {
        this.#storageFailure(error);
      }
    }
    // Told to stop while the disk could not be written: what the driver holds is not recorded, and that is no success.
    if (this.#failure !== undefined) throw this.#failure;
    return undefined;
  }

  /**
   * A session is on the disk before its first block can be signed. A disk that lets them begin and takes nothing of
   * them gets one in each `retryMs`.
   */
  async #pause(): Promise<void> {
    const leftMs = this.#triedMs + this.#parts.retryMs - performance.now();
    if (this.#failure === undefined || leftMs <= 0) return;
    await sleep(leftMs, undefined, { signal: this.#stopping.signal }).catch(
      () => undefined, // told to stop: nothing is open
    );
  }

  /** Told, kept, and given back as what it is. @throws what is no failure of the storage */
  #storageFailure(error: unknown): OperationalError {
    const isStorage = error instanceof OperationalError && error.code.startsWith('STORAGE_');
    if (!isStorage) throw error;
    this.#failure = error;
    this.#parts.onStorageFailed(error);
    return error;
  }
}
