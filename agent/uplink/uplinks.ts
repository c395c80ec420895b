/**
 * One uplink to each configured service. A statement whose service let the promised time pass goes on to the next.
 * Implements spec/uplink.md, "Several services".
 */
import { decodeAcceptance } from '../../core/acceptance.ts';
import { unverifiedPayload } from '../../core/cose.ts';
import type { BeaconBlock } from '../../core/vehicle-log.ts';
import { decodeAcceptedMessage } from '../../core/wire.ts';
import type { ServiceOutbox } from '../ports.ts';
import type { Uplink } from './uplink.ts';

/** Looked at once. */
const BATCH = 256;

export type ServiceLink = {
  readonly uplink: Uplink;
  readonly outbox: ServiceOutbox;
  /** So long after the promised time a receipt may still be on its way: finality comes later than the anchor. */
  readonly overdueAfterMs: number;
};

export type UplinksOptions = {
  /** In the order of the configuration, at least one. */
  readonly links: readonly [ServiceLink, ...ServiceLink[]];
  readonly checkEveryMs: number;
  readonly nowMs: () => number;
  readonly onPromiseMissed: (statementId: Uint8Array) => void;
  readonly onFatal: (error: unknown) => void;
};

export class Uplinks {
  readonly #options: UplinksOptions;
  readonly #started = new Set<Uplink>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: UplinksOptions) {
    this.#options = options;
  }

  start(): void {
    const { links, checkEveryMs } = this.#options;
    this.#start(links[0].uplink);
    this.#check();
    // With one service there is nowhere to go on to.
    if (links.length > 1) this.#timer = setInterval(() => this.#check(), checkEveryMs);
  }

  /** The newest beacon of the first service that has one. */
  beacon(): BeaconBlock | undefined {
    for (const { uplink } of this.#options.links) {
      const beacon = uplink.beacon();
      if (beacon !== undefined) return beacon;
    }
    return undefined;
  }

  drain(): void {
    for (const uplink of this.#started) uplink.drain();
  }

  askAgain(): void {
    for (const uplink of this.#started) uplink.askAgain();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.#started].map(async (uplink) => await uplink.stop()));
  }

  #check(): void {
    try {
      const { links } = this.#options;
      links.forEach((link, i) => {
        const next = links[i + 1];
        if (next !== undefined) this.#moveOverdue(link, next);
        // A service that has nothing to do is not bothered.
        if (i > 0 && link.outbox.isAwaited()) this.#start(link.uplink);
      });
    } catch (error) {
      clearInterval(this.#timer);
      this.#options.onFatal(error);
    }
  }

  /**
   * By the clock of the unit, which may be wrong: then a statement is anchored twice, under one id, which is no fork.
   * That the promise was broken is not said here; the chain shows it, or does not.
   */
  #moveOverdue({ outbox, overdueAfterMs }: ServiceLink, next: ServiceLink): void {
    const now = this.#options.nowMs();
    for (const { id, acceptance } of outbox.acceptedStatements(BATCH)) {
      const signed = decodeAcceptedMessage(acceptance).acceptance;
      const { anchorByMs } = decodeAcceptance(unverifiedPayload(signed));
      if (anchorByMs + overdueAfterMs >= now) continue;
      outbox.missPromise(id);
      this.#options.onPromiseMissed(id);
      next.uplink.drain();
    }
  }

  #start(uplink: Uplink): void {
    if (this.#started.has(uplink)) return;
    this.#started.add(uplink);
    uplink.start();
  }
}
