/** Wires everything that changes something: intake, windows, chain, beacons, receipts. Part of the composition in main.ts. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { toHex } from '../core/bytes.ts';
import { OperationalError } from '../core/errors.ts';
import type { Hash } from '../core/hash.ts';
import type { VerifyDigest } from '../core/signature.ts';
import { BeaconPublisher } from './chain/beacon.ts';
import { ChainWriter } from './chain/chain-writer.ts';
import { timestampOf } from './chain/endpoints.ts';
import { DAY_S, FeeBudget } from './chain/fee-budget.ts';
import { Finalizer } from './chain/finalizer.ts';
import { HopMaker } from './chain/hop-maker.ts';
import type { Chain } from './chain/open-chain.ts';
import { ChainClock } from './chain-clock.ts';
import type { AtCommitPoint } from './commit-points.ts';
import type { AnchorServiceConfig } from './config.ts';
import { Admission } from './intake/admission.ts';
import { startBrokerThread } from './intake/broker-thread.ts';
import type { DeviceKeys } from './intake/device-keys.ts';
import { connectExternalBroker } from './intake/external-broker.ts';
import { Intake } from './intake/intake.ts';
import { RateLimit } from './intake/rate-limit.ts';
import { type Loop, startLoop } from './loop.ts';
import type {
  BrokerLink,
  Clock,
  FeeBudget as FeeBudgetState,
  Log,
  Signer,
  VerifyAll,
} from './ports.ts';
import { ForkPublisher } from './publish/fork-publisher.ts';
import { WindowPublisher } from './publish/window-publisher.ts';
import { answerUnlinked } from './receipt/answer-unlinked.ts';
import { ReceiptPublisher } from './receipt/receipt-publisher.ts';
import { Pruner } from './retention/pruner.ts';
import type { StampAuthority } from './stamp/obtain-stamp.ts';
import { Stamper } from './stamp/stamper.ts';
import type { Status } from './status.ts';
import type { Stores } from './store/open-stores.ts';
import { sealWindow } from './window/seal-window.ts';

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

export type Work = {
  readonly link: BrokerLink;
  readonly feeBudget: () => FeeBudgetState;
  /** Statements, since the start; undefined where they are kept for ever. */
  readonly prunedStatements: () => number | undefined;
  stop(): Promise<void>;
};

const GWEI = 1_000_000_000n;
/** How often receipts are looked for when nothing says that there are any: after a broker was away. */
const RECEIPTS_EVERY_MS = 2000;
/** How often it is looked whether a stamp is due, and a failed one tried again, at the most. */
const STAMP_LOOK_MS = 60_000;
/** How often it is looked whether statements are old enough to go. */
const RETENTION_EVERY_MS = 60_000;
/** How often a folder that could not be written is tried again. */
const PUBLISH_EVERY_MS = 2000;

/** @throws OperationalError PORT_IN_USE, LISTEN_FAILED; UserError DEVICE_KEYS_* */
export async function startWork(parts: WorkParts): Promise<Work> {
  const { config, status } = parts;
  const running = new Map<string, Loop>();
  const budget = makeBudget(parts);
  let stopped: Promise<void> | undefined;
  const clock = new ChainClock(parts.clock);
  let beacons: BeaconPublisher | undefined;
  let stamper: Stamper | undefined;
  const intake = makeIntake(
    { ...parts, clock },
    budget,
    () => running.get('receipts')?.wake(),
    () => {
      stamper?.stampSoon();
      running.get('stamp')?.wake();
    },
  );
  const link = await openLink(parts, intake, () => {
    beacons?.publishAgain();
    stamper?.publishAgain();
    running.get('receipts')?.wake();
  });
  const made = makeBeacons(parts, link);
  beacons = made;
  stamper = makeStamper(parts, link);
  intake.connect(link);
  const loop = (name: string, everyMs: number, step: () => Promise<void>): void => {
    const onSuccess = (): void => status.succeeded(name);
    // What fails because it is being stopped says nothing about the world.
    const onError = (error: unknown): void => {
      if (stopped === undefined) status.failed(name, error);
    };
    running.set(name, startLoop({ everyMs, step, onSuccess, onError }));
  };
  loop(
    'window',
    config.window.everyMs,
    sealStep(parts, budget, () => {
      running.get('chain')?.wake();
      running.get('stamp')?.wake();
    }),
  );
  loop(
    'chain',
    config.chain.pollMs,
    chainStep(parts, budget, clock, () => {
      running.get('publish')?.wake();
      running.get('retention')?.wake();
      running.get('receipts')?.wake();
    }),
  );
  loop(
    'publish',
    PUBLISH_EVERY_MS,
    publishStep(parts, () => running.get('receipts')?.wake()),
  );
  loop('receipts', RECEIPTS_EVERY_MS, receiptsStep(parts, link));
  loop('beacon', config.beacon.everyMs, async () => await made.step());
  const pruner = makePruner(parts);
  if (pruner !== undefined) {
    loop('retention', RETENTION_EVERY_MS, async () => {
      // Whatever else waits comes between two stretches.
      await nextTurn();
      if (pruner.step()) running.get('retention')?.wake();
    });
  }
  const stamps = stamper;
  if (stamps !== undefined) {
    const everyMs = Math.min(config.stamp.everyMs, STAMP_LOOK_MS);
    loop('stamp', everyMs, async () => await stamps.step());
  }
  const stop = async (): Promise<void> => {
    intake.close();
    // Both before the loops: one that waits for the chain or for the broker then ends.
    parts.chain.cancelCalls();
    stamper?.cancel();
    await link.close();
    await Promise.all([...running.values()].map(async (each) => await each.stop()));
  };
  return {
    link,
    feeBudget: () => budget.state,
    prunedStatements: () => pruner?.pruned,
    stop: async () => {
      stopped ??= stop();
      await stopped;
    },
  };
}

function makePruner({ config, stores, atCommitPoint }: WorkParts): Pruner | undefined {
  const { statementsDays } = config.retention;
  if (statementsDays === 0) return undefined;
  return new Pruner({
    store: stores.retention,
    keptS: statementsDays * DAY_S,
    monotonicMs: () => performance.now(),
    atCommitPoint,
  });
}

function makeBudget({ config, stores }: WorkParts): FeeBudget {
  const { dailyBudgetGwei, maxFeeGwei } = config.chain;
  return new FeeBudget({
    store: stores.transactions,
    daily: BigInt(dailyBudgetGwei) * GWEI,
    maxFeeCap: BigInt(maxFeeGwei) * GWEI,
    maxUnmined: config.window.maxUnmined,
  });
}

function makeIntake(
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

async function openLink(
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

function makeBeacons(parts: WorkParts, link: BrokerLink): BeaconPublisher {
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
function makeStamper(parts: WorkParts, link: BrokerLink): Stamper | undefined {
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

function sealStep(parts: WorkParts, budget: FeeBudget, onSealed: () => void): () => Promise<void> {
  const { config, stores, chain, clock, sha256, atCommitPoint } = parts;
  const { identity } = chain;
  const { maxStatements, maxUnmined } = config.window;
  const store = stores.windows;
  const options = { store, identity, clock, sha256, atCommitPoint, maxStatements };
  return () => {
    // Without budget for the window that waits, what comes now goes into one window with what comes later.
    const limit = budget.state.isReached ? 1 : maxUnmined;
    if (sealWindow({ ...options, maxUnmined: limit }) !== undefined) onSealed();
    return Promise.resolve();
  };
}

function chainStep(
  parts: WorkParts,
  budget: FeeBudget,
  promised: ChainClock,
  onFinal: () => void,
): () => Promise<void> {
  const { config, stores, chain, atCommitPoint } = parts;
  const { endpoints, identity, sender } = chain;
  const store = stores.transactions;
  const writer = new ChainWriter({
    endpoints,
    store,
    sender,
    contract: identity.contract,
    maxFeeCap: BigInt(config.chain.maxFeeGwei) * GWEI,
    budget,
    bumpAfterBlocks: config.chain.bumpAfterBlocks,
    atCommitPoint,
  });
  const { beacons, hops } = stores;
  const finalizer = new Finalizer({ endpoints, store, beacons, hops, identity, atCommitPoint });
  const hopMaker = new HopMaker({
    endpoints,
    store: hops,
    chainId: identity.chainId,
    everyBlocks: config.chain.hopEveryBlocks,
    atCommitPoint,
  });
  return async () => {
    await chain.ensureBound();
    const head = await endpoints.head();
    await writer.observe(head);
    const final = await unlessPassing(finalizer.step());
    if (!(final instanceof OperationalError)) {
      promised.sawFinal(timestampOf(final.block));
      if (final.isAnyFinal) onFinal();
    }
    try {
      // What is signed goes on without a quorum; nothing new is signed without one.
      await writer.sendAgain(head);
      if (final instanceof OperationalError) throw final;
      budget.advanceTo(timestampOf(final.block));
      await writer.sendNext(head, final.block);
    } finally {
      // What holds a transaction back, as fees above their cap, must not hold back what proves the older ones.
      await hopMaker.step(head.number);
    }
  };
}

function publishStep(parts: WorkParts, onWritten: () => void): () => Promise<void> {
  const { config, stores, chain, clock, sha256, atCommitPoint } = parts;
  const publisher = new WindowPublisher({
    folder: config.publish.folder,
    store: stores.published,
    identity: chain.identity,
    clock,
    atCommitPoint,
  });
  const forks = new ForkPublisher({
    folder: config.publish.folder,
    store: stores.forks,
    sha256,
    isWanted: config.publish.forks,
    atCommitPoint,
  });
  return async () => {
    // A window whose receipts are out already becomes PUBLISHED once its files are written.
    if (await publisher.step()) onWritten();
    await forks.step();
  };
}

/** What waiting can heal is handed back, so that something else can be done first. */
async function unlessPassing<T>(promise: Promise<T>): Promise<T | OperationalError> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof OperationalError && error.retryable) return error;
    throw error;
  }
}

function receiptsStep(parts: WorkParts, link: BrokerLink): () => Promise<void> {
  const { stores, sha256, atCommitPoint } = parts;
  const receipts = new ReceiptPublisher({
    store: stores.published,
    sha256,
    publish: async (topic, payload, retain) => await link.publish(topic, payload, retain),
    atCommitPoint,
  });
  return async () => await receipts.step();
}
