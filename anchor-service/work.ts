/** Wires everything that changes something: intake, windows, chain, beacons, receipts. Part of the composition in main.ts. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BeaconPublisher } from './chain/beacon.ts';
import { ChainClock } from './chain-clock.ts';
import { type Loop, startLoop } from './loop.ts';
import type { BrokerLink, FeeBudget as FeeBudgetState } from './ports.ts';
import {
  makeBeacons,
  makeBudget,
  makeHopMaker,
  makeIntake,
  makePruner,
  makePublisher,
  makeStamper,
  openLink,
  type WorkParts,
} from './stages.ts';
import type { Stamper } from './stamp/stamper.ts';
import { chainStep, publishStep, receiptsStep, sealStep } from './steps.ts';

export type Work = {
  readonly link: BrokerLink;
  readonly feeBudget: () => FeeBudgetState;
  /** Statements, since the start; undefined where they are kept for ever. */
  readonly prunedStatements: () => number | undefined;
  /** A published file that somebody asked for, by its name, and that is not there. */
  readonly onMissingFile: (name: string) => void;
  stop(): Promise<void>;
};

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
  let newestHead: number | undefined;
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
    chainStep(parts, budget, clock, {
      onHead: (head) => {
        newestHead = head.number;
        running.get('hops')?.wake();
      },
      onFinal: () => {
        running.get('publish')?.wake();
        running.get('retention')?.wake();
        running.get('receipts')?.wake();
      },
    }),
  );
  // By itself: what holds a transaction back, as fees above their cap, must not hold back what proves older ones.
  const hops = makeHopMaker(parts);
  loop('hops', config.chain.pollMs, async () => {
    if (newestHead !== undefined) await hops.step(newestHead);
  });
  const publisher = makePublisher(parts);
  loop(
    'publish',
    PUBLISH_EVERY_MS,
    publishStep(parts, publisher, () => running.get('receipts')?.wake()),
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
    onMissingFile: (name) => {
      if (!publisher.noticeMissing(name)) return;
      parts.log('published-file-lost', { name });
      running.get('publish')?.wake();
    },
    stop: async () => {
      stopped ??= stop();
      await stopped;
    },
  };
}
