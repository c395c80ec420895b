/**
 * Stamps the newest window every hour, and soon where a vehicle asks for it; one token covers every window before it
 * through their hash chain. Implements spec/time-stamp.md, "Stamping".
 */
import { equalBytes } from '../../core/bytes.ts';
import type { Hash } from '../../core/hash.ts';
import { coveredRecordHashes, encodeTimeStamp } from '../../core/time-stamp.ts';
import { decodeWindowRecord } from '../../core/window.ts';
import { stampTopic } from '../../core/wire.ts';
import type { AtCommitPoint } from '../commit-points.ts';
import type { Clock, StampStore, UnstampedWindow } from '../ports.ts';
import { type ObtainOptions, obtainStamp } from './obtain-stamp.ts';

/** Windows under one token; more are covered by several. */
const MAX_WINDOWS = 4096;
const NS_IN_MS = 1_000_000n;

export type StamperOptions = Omit<ObtainOptions, 'cancelled'> & {
  readonly store: StampStore;
  readonly sha256: Hash;
  readonly clock: Clock;
  readonly everyMs: number;
  /** Not sooner after one token than this, also where a vehicle asks. */
  readonly soonestMs: number;
  readonly chainId: bigint;
  readonly publish: (topic: string, payload: Uint8Array, retain: boolean) => Promise<void>;
  readonly atCommitPoint: AtCommitPoint;
};

export class Stamper {
  readonly #options: StamperOptions;
  readonly #cancelled = new AbortController();
  /** A window above this one is to be stamped soon; undefined: none. */
  #soonAbove: number | undefined;
  /** After a start nobody knows what the broker retains. */
  #isLastOwed = true;

  constructor(options: StamperOptions) {
    this.#options = options;
  }

  /** Ends requests that are under way. */
  cancel(): void {
    this.#cancelled.abort();
  }

  /** Whatever the service has accepted by now is stamped as soon as it is in a window. Forgotten by a restart. */
  stampSoon(): void {
    const { store } = this.#options;
    const last = store.lastSealedSeq();
    this.#soonAbove = store.hasOpenStatements() ? (last ?? -1) : (last ?? 0) - 1;
  }

  /** The broker may have lost what it retained: the next step publishes the newest again. */
  publishAgain(): void {
    this.#isLastOwed = true;
  }

  /** @throws OperationalError STAMP_UNAVAILABLE, BROKER_UNREACHABLE (retryable) */
  async step(): Promise<void> {
    await this.#publish();
    const { store } = this.#options;
    const newest = store.lastSealedSeq();
    if (newest === undefined || !this.#isDue(newest)) return;
    // More than one token after a long time without an authority, and where the publisher changed.
    for (;;) {
      const windows = store.unstampedWindows(MAX_WINDOWS);
      const [first] = windows;
      if (first === undefined || first.seq > newest) return;
      await this.#stamp(windows);
      await this.#publish();
    }
  }

  #isDue(newest: number): boolean {
    const { store, clock, everyMs, soonestMs } = this.#options;
    const last = store.lastStampedAtMs();
    if (last === undefined) return true;
    const since = clock.nowMs() - last;
    // A clock that was set back must not stop the stamps.
    if (since < 0 || since >= everyMs) return true;
    return this.#soonAbove !== undefined && newest > this.#soonAbove && since >= soonestMs;
  }

  async #stamp(windows: readonly UnstampedWindow[]): Promise<void> {
    const { store, sha256, clock, atCommitPoint } = this.#options;
    const run = chainedRun(windows, sha256);
    const last = run.at(-1);
    const [first] = run;
    if (last === undefined || first === undefined) return;
    const cancelled = this.#cancelled.signal;
    const { info, ...evidence } = await obtainStamp(last.hash, { ...this.#options, cancelled });
    // Nothing is durable: a token that is lost here costs another one, and no window loses its stamp.
    atCommitPoint('stamp-received');
    store.insertStamp({
      firstSeq: first.seq,
      lastSeq: last.seq,
      bytes: encodeTimeStamp({ ...rowsOf(run), ...evidence }),
      genTimeMs: Number(info.genTime / NS_IN_MS),
      storedAtMs: clock.nowMs(),
    });
    if (this.#soonAbove !== undefined && last.seq > this.#soonAbove) this.#soonAbove = undefined;
    // Durable now: the stamp and which windows it covers. Recovery publishes it.
    atCommitPoint('stamp-stored');
  }

  /** In order, so that the newest is what the broker retains. */
  async #publish(): Promise<void> {
    const { store, publish, chainId, atCommitPoint } = this.#options;
    if (this.#isLastOwed) store.publishLastAgain();
    this.#isLastOwed = false;
    for (const { lastSeq, bytes } of store.unpublishedStamps()) {
      await publish(stampTopic(chainId), bytes, true);
      // Published, and still owed in the store: recovery publishes it again, which changes nothing.
      atCommitPoint('stamp-published');
      store.markStampPublished(lastSeq);
    }
  }
}

function rowsOf(run: readonly UnstampedWindow[]) {
  return {
    firstRecord: run[0]?.record ?? new Uint8Array(0),
    linkingRows: run.slice(1).map(({ record }) => {
      const { treeSize, root } = decodeWindowRecord(record);
      return { treeSize, root };
    }),
  };
}

/**
 * As many of the windows as the rows of one stamp reach: up to where another publisher goes on, whose records have
 * other fields (spec/time-stamp.md, "Bytes").
 */
function chainedRun(windows: readonly UnstampedWindow[], sha256: Hash): readonly UnstampedWindow[] {
  if (windows.length === 0) return [];
  const computed = coveredRecordHashes(rowsOf(windows), sha256);
  const broken = windows.findIndex(({ hash }, i) => !equalBytes(hash, computed[i] ?? hash));
  return broken < 0 ? windows : windows.slice(0, broken);
}
