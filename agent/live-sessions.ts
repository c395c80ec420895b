/**
 * A live capture for as long as the agent runs: one session after another when a session has to end and the
 * capture need not. The capture goes on meanwhile, in the driver's memory and in the kernel's.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { GapCause } from '../core/chunk-header.ts';
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
  /** @param cause why the session before ended, where its end says less */
  readonly begin: (cause: GapCause | undefined) => RunningSession;
  readonly onStorageFailed: (error: OperationalError) => void;
  readonly onStorageBack: () => void;
  readonly retryMs: number;
};

export class LiveSessions {
  readonly #parts: LiveSessionsParts;
  readonly #stopping = new AbortController();
  #session: RunningSession | undefined;

  /** The first session begins here: what is wrong with the unit or its configuration is thrown. */
  constructor(parts: LiveSessionsParts) {
    this.#parts = parts;
    this.#session = parts.begin(undefined);
  }

  /** Until `stop`. @throws what is no failure of the storage */
  async run(): Promise<void> {
    for (;;) {
      const cause = await this.#runSession();
      if (this.#stopping.signal.aborted) return;
      this.#session = await this.#beginAgain(cause);
      if (this.#session === undefined) return;
    }
  }

  stop(): void {
    this.#stopping.abort();
    this.#session?.stop();
  }

  /** @returns why the next session finds a gap */
  async #runSession(): Promise<GapCause | undefined> {
    const session = this.#session;
    if (session === undefined) return undefined;
    try {
      const end = await session.run();
      return end === 'rolled_back' ? 'rolled_back' : undefined;
    } catch (error) {
      // What was captured last could not be committed: that is no orderly end.
      if (this.#stopping.signal.aborted) throw error;
      this.#storageFailure(error);
      return 'storage_full';
    } finally {
      this.#session = undefined;
      await session.close();
    }
  }

  /** A disk that is full, read-only or slow to fail may be well again: tried until it is. */
  async #beginAgain(first: GapCause | undefined): Promise<RunningSession | undefined> {
    let cause = first;
    let failure: OperationalError | undefined;
    while (!this.#stopping.signal.aborted) {
      try {
        const session = this.#parts.begin(cause);
        this.#parts.onStorageBack();
        return session;
      } catch (error) {
        failure = this.#storageFailure(error);
        cause = 'storage_full';
        await sleep(this.#parts.retryMs, undefined, { signal: this.#stopping.signal }).catch(
          () => undefined, // told to stop: nothing is open
        );
      }
    }
    // Told to stop while the disk could not be written: what the driver holds is not recorded, and that is no success.
    if (failure !== undefined) throw failure;
    return undefined;
  }

  /** Told, and given back as what it is. @throws what is no failure of the storage */
  #storageFailure(error: unknown): OperationalError {
    const isStorage = error instanceof OperationalError && error.code.startsWith('STORAGE_');
    if (!isStorage) throw error;
    this.#parts.onStorageFailed(error);
    return error;
  }
}
