/** Makes the stages, each with the ports that it needs. Part of the composition in main.ts. */
import { toHex } from '../core/bytes.ts';
import type { Hash } from '../core/hash.ts';
import type { VerifyDigest } from '../core/signature.ts';
import { BeaconPublisher } from './chain/beacon.ts';
import { DAY_S, FeeBudget } from './chain/fee-budget.ts';
import { HopMaker } from './chain/hop-maker.ts';
import type { Chain } from './chain/open-chain.ts';
import type { AtCommitPoint } from './commit-points.ts';
import type { AnchorServiceConfig } from './config.ts';
import { Admission } from './intake/admission.ts';
import { startBrokerThread } from './intake/broker-thread.ts';
import type { DeviceKeys } from './intake/device-keys.ts';
import { connectExternalBroker } from './intake/external-broker.ts';
import { Intake } from './intake/intake.ts';
import { RateLimit } from './intake/rate-limit.ts';
import type { BrokerLink, Clock, Log, Signer, VerifyAll } from './ports.ts';
import { WindowPublisher } from './publish/window-publisher.ts';
import { answerUnlinked } from './receipt/answer-unlinked.ts';
import { Pruner } from './retention/pruner.ts';
import type { StampAuthority } from './stamp/obtain-stamp.ts';
import { Stamper } from './stamp/stamper.ts';
import type { Status } from './status.ts';
import type { Stores } from './store/open-stores.ts';

export type WorkParts = {
  readonly config: AnchorServiceConfig;
  readonly devices: DeviceKeys;
  readonly stores: Stores;
  readonly signer: Signer;
  readonly chain: Chain;
  readonly status: Status;
  readonly clock: Clock;
  readonly sha256: Hash;
  readonly verify: VerifyDigest;
  readonly verifyAll: VerifyAll;
  readonly atCommitPoint: AtCommitPoint;
  readonly log: Log;
  /** Empty: nothing is stamped. */
  readonly stampAuthorities: readonly StampAuthority[];
};

export const GWEI = 1_000_000_000n;

export function makePruner({ config, stores, atCommitPoint }: WorkParts): Pruner | undefined {
  const { statementsDays } = config.retention;
  if (statementsDays === 0) return undefined;
  return new Pruner({
    store: stores.retention,
    keptS: statementsDays * DAY_S,
    monotonicMs: () => performance.now(),
    atCommitPoint,
  });
}

export function makeBudget({ config, stores }: WorkParts): FeeBudget {
  const { dailyBudgetGwei, maxFeeGwei } = config.chain;
  return new FeeBudget({
    store: stores.transactions,
    daily: BigInt(dailyBudgetGwei) * GWEI,
    maxFeeCap: BigInt(maxFeeGwei) * GWEI,
    maxUnmined: config.window.maxUnmined,
  });
}

export function makeIntake(
  parts: WorkParts,
  budget: FeeBudget,
  onReceiptWanted: () => void,
  onStampSoon: () => void,
): Intake {
  const { config, devices, stores, signer, status, clock, sha256, verify, atCommitPoint } = parts;
  const { messagesPerSecond: perSecond, burst } = config.intake;
  // Not by the time of day, which may be set.
  const monotonic = { nowMs: () => performance.now() };
  const { findSession } = stores.intake;
  return new Intake({
    ...config.intake,
    admission: new Admission({ devices, findSession, verify, sha256 }),
    verifyAll: parts.verifyAll,
    limit: new RateLimit({ perSecond, burst, clock: monotonic }),
    refusals: new RateLimit({ perSecond: 1, burst: 1, clock: monotonic }),
    questions: new RateLimit({ perSecond: 0.2, burst: 1, clock: monotonic }),
    isTooMuchHeld: config.broker.url === undefined,
    store: stores.intake,
    signer,
    sha256,
    identity: parts.chain.identity,
    clock,
    anchorBy: (acceptedAtMs) =>
      acceptedAtMs + config.intake.anchorWithinMs + (budget.hasRoomAtTheCap ? 0 : DAY_S * 1000),
    atCommitPoint,
    onReceiptWanted,
    linksTo: (numbers) => answerUnlinked(stores.hops, parts.chain.identity.chainId, numbers),
    stamps: stores.stamps,
    onStampSoon,
    onRecovered: () => status.succeeded('intake'),
    onFailure: (error) => status.failed('intake', error),
  });
}

export async function openLink(
  { config, chain, status }: WorkParts,
  intake: Intake,
  onConnected: () => void,
): Promise<BrokerLink> {
  const { url, username, password, host, port, tls } = config.broker;
  const onMessage = async (topic: string, payload: Uint8Array): Promise<void> => {
    await intake.receive(topic, payload);
  };
  if (url === undefined) {
    const onFailure = (error: unknown): void => status.failed('broker', error);
    return await startBrokerThread({ host, port, tls }, onMessage, onFailure);
  }
  // One session at the broker for as long as the service publishes under this key.
  const clientId = `witnessmark-${toHex(chain.identity.publisher).slice(0, 10)}`;
  const options = { url, clientId, username, password, tls, onMessage, onConnected };
  return await connectExternalBroker(options);
}

export function makeBeacons(parts: WorkParts, link: BrokerLink): BeaconPublisher {
  const { stores, chain, signer, clock, atCommitPoint } = parts;
  return new BeaconPublisher({
    endpoints: chain.endpoints,
    store: stores.beacons,
    signer,
    clock,
    chainId: chain.identity.chainId,
    publish: async (topic, payload, retain) => await link.publish(topic, payload, retain),
    atCommitPoint,
  });
}

/** None without an authority. */
export function makeStamper(parts: WorkParts, link: BrokerLink): Stamper | undefined {
  const { config, stores, chain, clock, sha256, atCommitPoint, log, stampAuthorities } = parts;
  if (stampAuthorities.length === 0) return undefined;
  const { everyMs, soonestMs, timeoutMs } = config.stamp;
  return new Stamper({
    ...{ everyMs, soonestMs, timeoutMs, clock, sha256, atCommitPoint, log },
    authorities: stampAuthorities,
    store: stores.stamps,
    chainId: chain.identity.chainId,
    publish: async (topic, payload, retain) => await link.publish(topic, payload, retain),
  });
}

export function makeHopMaker({ config, stores, chain, atCommitPoint }: WorkParts): HopMaker {
  const { endpoints, identity } = chain;
  return new HopMaker({
    endpoints,
    store: stores.hops,
    chainId: identity.chainId,
    everyBlocks: config.chain.hopEveryBlocks,
    atCommitPoint,
  });
}

export function makePublisher({
  config,
  stores,
  chain,
  clock,
  atCommitPoint,
}: WorkParts): WindowPublisher {
  return new WindowPublisher({
    folder: config.publish.folder,
    store: stores.published,
    identity: chain.identity,
    clock,
    atCommitPoint,
  });
}
