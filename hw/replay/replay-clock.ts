/**
 * The clock that paces a replay.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';

export type ReplayClock = {
  monotonicMs(): number;
  /** Resolves after `ms`, or as soon as the signal is aborted. */
  waitMs(ms: number, signal: AbortSignal): Promise<void>;
};

export const systemReplayClock: ReplayClock = {
  monotonicMs: () => performance.now(),
  async waitMs(ms, signal) {
    try {
      await wait(ms, undefined, { signal });
    } catch (cause) {
      if (!signal.aborted) throw cause;
    }
  },
};
