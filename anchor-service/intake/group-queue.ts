/**
 * Collects the vehicles' records for a few milliseconds, then has them verified, commits them, and says so.
 * Groups are verified while those before them are committed, and committed in the order in which they came.
 */
import { OperationalError } from '../../core/errors.ts';
import type { AtCommitPoint } from '../commit-points.ts';
import type { Clock, VerifyAll } from '../ports.ts';
import { type Admission, type Admitted, verified } from './admission.ts';
import { type Committed, commitGroup, type GroupCommitOptions } from './group-commit.ts';

export type Waiting = {
  /** Of the vehicle, in hexadecimal. */
  readonly tag: string;
  readonly topic: 'session' | 'statement';
  readonly bytes: Uint8Array;
  readonly received: () => void;
};

export type GroupQueueOptions = GroupCommitOptions & {
  readonly admission: Admission;
  readonly verifyAll: VerifyAll;
  readonly clock: Clock;
  readonly atCommitPoint: AtCommitPoint;
  readonly groupMs: number;
  readonly maxGroup: number;
  /** What an acceptance given now may promise (spec/finality.md, "Fee budget"). */
  readonly anchorBy: (acceptedAtMs: number) => number;
  readonly onCommitted: (group: readonly Waiting[], committed: Committed) => void;
  /** The disk took a group, after it had not. */
  readonly onRecovered: () => void;
  /** Retryable: the disk is full, and the group is tried again. Else it is unknown what is durable. */
  readonly onFailure: (error: unknown) => void;
};

/** One that is committed, and one that is verified meanwhile. What comes then waits, and makes a larger group. */
const GROUPS_IN_FLIGHT = 2;
/** How often a full disk is tried. */
const RETRY_MS = 1000;

export class GroupQueue {
  readonly #options: GroupQueueOptions;
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  #inFlight = 0;
  #committed: Promise<void> = Promise.resolve();
  /** How many messages were added, and how many of them are durable: in the same order. */
  #added = 0;
  #durable = 0;
  #closed = false;
  readonly #ended = Promise.withResolvers<void>();

  constructor(options: GroupQueueOptions) {
    this.#options = options;
  }

  /** `received` is called when it is durable, and never once the queue is closed. */
  add(message: Waiting): void {
    if (this.#closed) return;
    this.#waiting.push(message);
    this.#added += 1;
    if (this.#waiting.length >= this.#options.maxGroup) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), this.#options.groupMs);
  }

  /** Resolves when everything that was added before is durable; at once when it is closed. */
  async settled(): Promise<void> {
    const added = this.#added;
    while (!this.#closed && this.#durable < added) {
      this.#flush();
      await this.#committed;
    }
  }

  /** What waits is dropped: its vehicles send it again. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#waiting = [];
    this.#ended.resolve();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#inFlight >= GROUPS_IN_FLIGHT || this.#waiting.length === 0) return;
    const group = this.#waiting.splice(0, this.#options.maxGroup);
    this.#inFlight += 1;
    const admitted = this.#admit(group);
    // It may fail while the group before is still being synced: whoever waits for it below is told then.
    admitted.catch(() => undefined);
    this.#committed = this.#committed.then(async () => {
      try {
        await this.#commit(group, await admitted);
      } catch (error) {
        this.close();
        this.#options.onFailure(error);
      }
      this.#inFlight -= 1;
      this.#flush();
    });
  }

  async #admit(group: readonly Waiting[]): Promise<readonly Admitted[]> {
    const { admission, verifyAll } = this.#options;
    const looked = group.map(({ tag, topic, bytes }) => admission.admit(tag, topic, bytes));
    const unverified = looked.filter((item) => item.kind === 'unverified');
    const verdicts = await verifyAll(unverified.map(({ check }) => check));
    let next = 0;
    return looked.map((item) => {
      if (item.kind !== 'unverified') return item;
      next += 1;
      return verified(item, verdicts[next - 1] === true);
    });
  }

  async #commit(group: readonly Waiting[], admitted: readonly Admitted[]): Promise<void> {
    const { clock, anchorBy, atCommitPoint, onCommitted } = this.#options;
    const committed = await this.#whenTaken(async () => {
      const acceptedAtMs = clock.nowMs();
      const times = { acceptedAtMs, anchorByMs: anchorBy(acceptedAtMs) };
      return await commitGroup(admitted, times, this.#options);
    });
    if (committed === undefined) return;
    // Durable now: statements, forks and the signed acceptance. Recovery has nothing to do; a vehicle
    // that hears nothing sends again and gets the same acceptance.
    atCommitPoint('statements-committed');
    this.#durable += group.length;
    for (const { received } of group) received();
    onCommitted(group, committed);
  }

  /**
   * A full disk takes nothing of a group, and SQLite says so: nobody is answered and nothing is acknowledged, so
   * that brokers and vehicles keep what they have. The same group is tried until there is room.
   */
  async #whenTaken(commit: () => Promise<Committed>): Promise<Committed | undefined> {
    let failed = false;
    while (!this.#closed) {
      try {
        const committed = await commit();
        if (failed) this.#options.onRecovered();
        return committed;
      } catch (error) {
        if (!(error instanceof OperationalError && error.retryable)) throw error;
        failed = true;
        this.#options.onFailure(error);
      }
      await Promise.race([this.#ended.promise, pause(RETRY_MS)]);
    }
    return undefined;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
