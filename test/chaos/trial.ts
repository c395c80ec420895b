/**
 * What a chaos case stands on: a real anvil, proxies in front of it, services as processes of their own,
 * vehicles that send until they have their receipts. All of it ends with the case.
 */

import type { IClientOptions } from 'mqtt';
import type { CommitPoint } from '../../anchor-service/commit-points.ts';
import type { AnchorServiceOptions } from '../../anchor-service/config.ts';
import {
  type ChildService,
  freePort,
  type Introduced,
  startChild,
} from '../anchor-service/crash/child-service.ts';
import { startTestChain, type TestChain } from '../anchor-service/support/chain.ts';
import { Cleanup } from '../anchor-service/support/cleanup.ts';
import { ResendingVehicle } from '../anchor-service/support/resending-vehicle.ts';
import { serviceOptions, temporaryFolder } from '../anchor-service/support/service.ts';
import { type Audited, audit } from './audit.ts';
import { RecordedVehicle } from './recorded-vehicle.ts';
import { type RpcProxy, startRpcProxy } from './rpc-proxy.ts';

export type Sender = ResendingVehicle<RecordedVehicle>;

export type TrialOptions = {
  /** Of anvil, beside a block every 200 ms; finality lags an epoch of so many blocks twice. */
  readonly slotsInAnEpoch?: number;
  readonly vehicles?: number;
  /** How many proxies stand between the service and the chain, each an endpoint; 0: it speaks to anvil itself. */
  readonly proxies?: number;
  readonly options?: Omit<AnchorServiceOptions, 'data_dir'>;
  /** Of a broker outside; none: the vehicles connect to the service itself. */
  readonly connect?: (car: RecordedVehicle) => {
    readonly url: string;
    readonly options: IClientOptions;
  };
};

export class Trial {
  readonly cleanup = new Cleanup();
  readonly chain: TestChain;
  readonly proxies: readonly RpcProxy[];
  readonly senders: readonly Sender[];
  readonly options: AnchorServiceOptions;
  #introduced: Introduced | undefined;

  private constructor(
    chain: TestChain,
    proxies: readonly RpcProxy[],
    senders: readonly Sender[],
    options: AnchorServiceOptions,
  ) {
    this.chain = chain;
    this.proxies = proxies;
    this.senders = senders;
    this.options = options;
  }

  static async start(wanted: TrialOptions = {}): Promise<Trial> {
    const { slotsInAnEpoch = 1, vehicles = 1, proxies = 0, options = {}, connect } = wanted;
    const chain = await startTestChain([
      ...['--block-time', '0.2', '--order', 'fees'],
      ...['--slots-in-an-epoch', `${slotsInAnEpoch}`],
    ]);
    const between = await Promise.all(
      Array.from({ length: proxies }, async () => await startRpcProxy(chain.url)),
    );
    const port = await freePort();
    const cars = Array.from({ length: vehicles }, (_, i) => new RecordedVehicle(i + 1));
    const folder = temporaryFolder();
    const rpc = proxies === 0 ? [chain.url] : between.map(({ url }) => url);
    const { chain: chainOptions, window, ...others } = options;
    const trial = new Trial(
      chain,
      between,
      cars.map((car) => {
        const outside = connect?.(car);
        const url = outside?.url ?? `mqtt://127.0.0.1:${port}`;
        return new ResendingVehicle(car, url, outside?.options);
      }),
      serviceOptions(folder.path, cars, {
        broker: { port },
        ...others,
        chain: { rpc, class: 'local', poll_ms: 50, timeout_ms: 2000, ...chainOptions },
        window: { every_ms: 100, ...window },
      }),
    );
    trial.cleanup.add(() => folder.remove());
    trial.cleanup.add(async () => await chain.stop());
    for (const proxy of between) trial.cleanup.add(async () => await proxy.close());
    for (const sender of trial.senders) trial.cleanup.add(async () => await sender.stop());
    return trial;
  }

  /** Starts a service and waits until it takes statements. */
  async service(options: AnchorServiceOptions = this.options): Promise<ChildService> {
    const child = this.begin(options);
    this.#introduced = await child.introduced();
    return child;
  }

  /** Starts a service without waiting for it. */
  begin(
    options: AnchorServiceOptions = this.options,
    crash?: { readonly point: CommitPoint; readonly times?: number },
  ): ChildService {
    const child = startChild(options, crash);
    this.cleanup.add(async () => {
      child.thaw();
      await child.kill();
    });
    return child;
  }

  /** Every vehicle sends its next statement. */
  send(): void {
    for (const sender of this.senders) sender.add(sender.vehicle.next());
  }

  async allReceipts(): Promise<void> {
    await Promise.all(this.senders.map(async (sender) => await sender.allReceipts()));
  }

  async allAccepted(): Promise<void> {
    await Promise.all(this.senders.map(async (sender) => await sender.allAccepted()));
  }

  /** Who the service is. */
  get introduced(): Introduced {
    if (this.#introduced === undefined) throw new Error('no service was ever started');
    return this.#introduced;
  }

  /** The audit that ends every case. */
  async audit(
    found: Partial<Pick<Audited, 'dataDir' | 'foreignNonces' | 'halted' | 'reversedFrom'>> = {},
  ): Promise<void> {
    const { data_dir: dataDir } = this.options;
    const { servicePublicKey } = this.introduced;
    await audit({ dataDir, chain: this.chain, senders: this.senders, servicePublicKey, ...found });
  }
}

/** Waits until it holds. What never comes ends with the case's own time. */
export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await pause(50);
}

export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
