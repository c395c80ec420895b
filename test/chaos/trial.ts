/**
 * What a chaos case stands on: a real anvil, proxies in front of it, services as processes of their own,
 * vehicles that send until they have their receipts. All of it ends with the case.
 */

import { Transaction } from 'ethers';
import type { IClientOptions } from 'mqtt';
import { onTestFailed } from 'vitest';
import type { AnchorServiceOptions } from '../../anchor-service/config.ts';
import {
  type ChildService,
  type Crash,
  freePort,
  type Introduced,
  startChild,
} from '../anchor-service/crash/child-service.ts';
import { startBroker } from '../anchor-service/support/broker.ts';
import { startTestChain, type TestChain } from '../anchor-service/support/chain.ts';
import { Cleanup } from '../anchor-service/support/cleanup.ts';
import { ResendingVehicle } from '../anchor-service/support/resending-vehicle.ts';
import { serviceOptions, temporaryFolder } from '../anchor-service/support/service.ts';
import { type Audited, audit } from './audit.ts';
import { readStore, type StoreState } from './read-store.ts';
import { RecordedVehicle } from './recorded-vehicle.ts';
import { type RpcProxy, startRpcProxy } from './rpc-proxy.ts';

export type Sender = ResendingVehicle<RecordedVehicle>;

export type TrialOptions = {
  /** Of anvil, beside a block every 200 ms; finality lags an epoch of so many blocks twice. */
  readonly slotsInAnEpoch?: number;
  readonly vehicles?: number;
  /** How many proxies stand between the service and the chain, each an endpoint; 0: it speaks to anvil itself. */
  readonly proxies?: number;
  /** A broker in the test's process instead of the service's own. */
  readonly isBrokerOutside?: boolean;
  readonly options?: Omit<AnchorServiceOptions, 'data_dir'>;
  /** Where each vehicle connects to, such as a broker outside that is a process of its own; none: to the broker above. */
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
    const { slotsInAnEpoch = 1, vehicles = 1, proxies = 0, options = {} } = wanted;
    const { isBrokerOutside = false, connect } = wanted;
    const chain = await startTestChain([
      ...['--block-time', '0.2', '--order', 'fees'],
      ...['--slots-in-an-epoch', `${slotsInAnEpoch}`],
    ]);
    const between = await Promise.all(
      Array.from({ length: proxies }, async () => await startRpcProxy(chain.url)),
    );
    const port = await freePort();
    const url = `mqtt://127.0.0.1:${port}`;
    const broker = isBrokerOutside ? await startBroker(port) : undefined;
    const cars = Array.from({ length: vehicles }, (_, i) => new RecordedVehicle(i + 1));
    const folder = temporaryFolder();
    const rpc = proxies === 0 ? [chain.url] : between.map(({ url }) => url);
    const { chain: chainOptions, window, ...others } = options;
    const trial = new Trial(
      chain,
      between,
      cars.map((car) => {
        const elsewhere = connect?.(car);
        return new ResendingVehicle(car, elsewhere?.url ?? url, elsewhere?.options);
      }),
      serviceOptions(folder.path, cars, {
        broker: isBrokerOutside ? { url } : { port },
        ...others,
        chain: { rpc, class: 'local', poll_ms: 50, timeout_ms: 8000, ...chainOptions },
        window: { every_ms: 100, ...window },
      }),
    );
    trial.cleanup.add(() => folder.remove());
    trial.cleanup.add(async () => await chain.stop());
    trial.cleanup.add(async () => await broker?.stop());
    for (const proxy of between) trial.cleanup.add(async () => await proxy.close());
    for (const sender of trial.senders) trial.cleanup.add(async () => await sender.stop());
    return trial;
  }

  /** Starts a service and waits until it takes statements. */
  async service(options: AnchorServiceOptions = this.options): Promise<ChildService> {
    const child = this.begin(options);
    await this.introduce(child);
    return child;
  }

  /** Waits until it takes statements, and remembers who it is. */
  async introduce(child: ChildService): Promise<void> {
    this.#introduced = await child.introduced();
  }

  /** Starts a service without waiting for it. */
  begin(options: AnchorServiceOptions = this.options, crash?: Crash): ChildService {
    const child = startChild(options, crash);
    // What it said last, for whoever reads why a case failed.
    onTestFailed(async () => {
      const end = await Promise.race([child.ended, Promise.resolve('running')]);
      process.stderr.write(`service ${child.pid}, ${end}:\n${child.log.slice(-30).join('\n')}\n`);
    });
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

  /** What the store holds, whether a service runs or not. */
  async state(): Promise<StoreState> {
    return await Promise.resolve(readStore(this.options.data_dir));
  }

  /** Somebody else uses the key: a transaction of no use takes effect under the nonce. */
  async useKey(publisher: string, nonce: number): Promise<void> {
    const from = `0x${publisher}`;
    await this.chain.rpc('anvil_impersonateAccount', from);
    await this.chain.rpc('anvil_dropAllTransactions');
    const transaction = {
      from,
      to: from,
      value: '0x1',
      gas: '0x5208',
      nonce: `0x${nonce.toString(16)}`,
    };
    await this.chain.rpc('eth_sendTransaction', { ...transaction, maxFeePerGas: '0x174876e800' });
    await this.chain.rpc('anvil_mine', '0x1');
  }

  /** The chain's own receipt of a raw transaction. */
  async receiptOf(raw: string): Promise<unknown> {
    return await this.chain.rpc('eth_getTransactionReceipt', Transaction.from(raw).hash);
  }

  /** Who the service is. */
  get introduced(): Introduced {
    if (this.#introduced === undefined) throw new Error('no service was ever started');
    return this.#introduced;
  }

  /** The audit that ends every case. */
  async audit(found: Partial<Omit<Audited, 'chain' | 'senders'>> = {}): Promise<void> {
    const { data_dir: dataDir } = this.options;
    await audit({ dataDir, chain: this.chain, senders: this.senders, ...found });
  }
}

/** Waits until it holds. What never comes ends with the case's own time. */
export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await pause(50);
}

export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
