/** Publishes the newest block at least 3 deep, signed and retained. Implements spec/beacon.md. */
import { encodeBeacon } from '../../core/beacon.ts';
import { beaconTopic } from '../../core/wire.ts';
import type { AtCommitPoint } from '../commit-points.ts';
import type { BeaconStore, Clock, Signer, StoredBeacon } from '../ports.ts';
import { signRecord } from '../signed-record.ts';
import type { Endpoints } from './endpoints.ts';

/** A block this deep is seldom replaced; one that is makes a single bound weaker, nothing false. */
const DEPTH = 3;

export type BeaconOptions = {
  readonly endpoints: Endpoints;
  readonly store: BeaconStore;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly chainId: bigint;
  readonly publish: (topic: string, payload: Uint8Array, retain: boolean) => Promise<void>;
  readonly atCommitPoint: AtCommitPoint;
};

export class BeaconPublisher {
  readonly #options: BeaconOptions;
  #published: StoredBeacon | undefined;

  constructor(options: BeaconOptions) {
    this.#options = options;
  }

  /** The broker may have lost what it retained: the next step publishes again. */
  publishAgain(): void {
    this.#published = undefined;
  }

  async step(): Promise<void> {
    // First what is known: after a restart the chain may be down.
    await this.#publish(this.#options.store.lastBeacon());
    await this.#publish(await this.#newer());
  }

  async #publish(beacon: StoredBeacon | undefined): Promise<void> {
    if (beacon === undefined || beacon.number === this.#published?.number) return;
    await this.#options.publish(beaconTopic(this.#options.chainId), beacon.signed, true);
    this.#published = beacon;
  }

  async #newer(): Promise<StoredBeacon | undefined> {
    const { endpoints, store, signer, clock, chainId, atCommitPoint } = this.#options;
    const number = (await endpoints.head()).number - DEPTH;
    if (number <= (store.lastBeacon()?.number ?? 0)) return undefined;
    const { hash, header } = await endpoints.recent(number);
    const publishedAtMs = clock.nowMs();
    const block = { chainId, number: BigInt(number), hash };
    const signed = signRecord('beacon', signer, encodeBeacon({ block, publishedAtMs }));
    const beacon = { number, hash, signed, publishedAtMs, header };
    store.insertBeacon(beacon);
    // Durable now, before anybody can put it into a chunk: the link of a later window will show it.
    atCommitPoint('beacon-stored');
    return beacon;
  }
}
