/**
 * One process leads, others wait. Implements spec/lease.md.
 * No clock is compared: who waits takes the lease only when its beat stood still for as long as it is held, on
 * the monotonic clock of the one that waits. A process that was stopped and goes on finds the term grown.
 */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { OperationalError } from '../core/errors.ts';
import { type Loop, startLoop } from './loop.ts';
import type { Lease, LeaseStore } from './ports.ts';
import type { Status } from './status.ts';

/** Looks and beats in the time that a lease is held. */
const BEATS = 5;
/** And so often at least who waits looks whether it was given back. */
const LOOK_MS = 1000;

export type WaitOptions = {
  readonly store: LeaseStore;
  readonly holdMs: number;
  readonly cancelled: AbortSignal;
  /** Whether another process may lead while this one waits; else its beat is an error. */
  readonly mayStandBy: boolean;
  /** Called when another process leads, with what it looks like. */
  readonly onStandby: (lease: Lease) => Promise<void>;
  /** Called when the row cannot be read or taken: somebody holds the store's lock, such as a process that stands still inside of a commit. */
  readonly onUnreachable: (error: OperationalError) => void;
};

/**
 * @returns the term to lead under; undefined when it was cancelled before
 * @throws OperationalError DATA_FOLDER_IN_USE
 */
export async function waitForLease(options: WaitOptions): Promise<number | undefined> {
  const { store, holdMs, cancelled, mayStandBy, onStandby } = options;
  const holder = `${hostname()} ${process.pid} ${randomBytes(4).toString('hex')}`;
  let seen: Lease | undefined;
  let sinceMs = 0;
  let isStandby = false;
  while (!cancelled.aborted) {
    try {
      const lease = store.look();
      const nowMs = performance.now();
      const isNew = !isSame(lease, seen);
      if (isNew && seen !== undefined && lease.holder !== undefined && !mayStandBy) {
        throw inUse(lease);
      }
      if (isNew) [seen, sinceMs] = [lease, nowMs];
      const isFree = lease.holder === undefined || nowMs - sinceMs >= holdMs;
      // Taken as it was seen, or not at all: a beat in between keeps it.
      const term = isFree ? store.take(lease, holder) : undefined;
      if (term !== undefined) return term;
      if (!isFree && !isStandby) {
        isStandby = true;
        await onStandby(lease);
      }
    } catch (error) {
      if (!(error instanceof OperationalError) || !error.retryable) throw error;
      // Who cannot look cannot know that the beat stood still.
      options.onUnreachable(error);
    }
    await pause(Math.min(holdMs / BEATS, LOOK_MS), cancelled);
  }
  return undefined;
}

/** Keeps it for as long as the process lives, also after a halt: a takeover would hide what a person must look at. */
export function keepLease(options: {
  readonly store: LeaseStore;
  readonly term: number;
  readonly holdMs: number;
  readonly status: Status;
}): Loop {
  const { store, term, holdMs, status } = options;
  return startLoop({
    everyMs: holdMs / BEATS,
    step: () => {
      if (!store.beat(term)) {
        throw new OperationalError('LEASE_LOST', `another service leads after term ${term}`, {
          retryable: false,
        });
      }
      return Promise.resolve();
    },
    onSuccess: () => status.succeeded('lease'),
    onError: (error) => status.failed('lease', error),
  });
}

function inUse({ holder }: Lease): OperationalError {
  return new OperationalError(
    'DATA_FOLDER_IN_USE',
    `another service (${holder}) is using the data folder and its local chain`,
    { retryable: false },
  );
}

function isSame(a: Lease, b: Lease | undefined): boolean {
  return b !== undefined && a.term === b.term && a.holder === b.holder && a.beat === b.beat;
}

async function pause(ms: number, cancelled: AbortSignal): Promise<void> {
  try {
    await setTimeout(ms, undefined, { signal: cancelled });
  } catch {
    // Cancelled: the caller looks.
  }
}
