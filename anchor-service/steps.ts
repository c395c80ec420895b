/** What each loop does in one round. Part of the composition in main.ts. */
import { OperationalError } from '../core/errors.ts';
import { ChainWriter } from './chain/chain-writer.ts';
import { type Head, timestampOf } from './chain/endpoints.ts';
import type { FeeBudget } from './chain/fee-budget.ts';
import { Finalizer } from './chain/finalizer.ts';
import type { ChainClock } from './chain-clock.ts';
import type { BrokerLink } from './ports.ts';
import { ForkPublisher } from './publish/fork-publisher.ts';
import type { WindowPublisher } from './publish/window-publisher.ts';
import { ReceiptPublisher } from './receipt/receipt-publisher.ts';
import { GWEI, type WorkParts } from './stages.ts';
import { sealWindow } from './window/seal-window.ts';

export function sealStep(
  parts: WorkParts,
  budget: FeeBudget,
  onSealed: () => void,
): () => Promise<void> {
  const { config, stores, chain, clock, sha256, atCommitPoint } = parts;
  const { identity } = chain;
  const { maxStatements, maxUnmined } = config.window;
  const store = stores.windows;
  const options = { store, identity, clock, sha256, atCommitPoint, maxStatements };
  return async () => {
    // Without budget for the window that waits, what comes now goes into one window with what comes later.
    const limit = budget.state.isReached ? 1 : maxUnmined;
    if ((await sealWindow({ ...options, maxUnmined: limit })) !== undefined) onSealed();
  };
}

export function chainStep(
  parts: WorkParts,
  budget: FeeBudget,
  promised: ChainClock,
  { onHead, onFinal }: { readonly onHead: (head: Head) => void; readonly onFinal: () => void },
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
  return async () => {
    await chain.ensureBound();
    const head = await endpoints.head();
    onHead(head);
    await writer.observe(head);
    const final = await unlessPassing(finalizer.step());
    if (!(final instanceof OperationalError)) {
      promised.sawFinal(timestampOf(final.block));
      if (final.isAnyFinal) onFinal();
    }
    // What is signed goes on without a quorum; nothing new is signed without one.
    await writer.sendAgain(head);
    if (final instanceof OperationalError) throw final;
    budget.advanceTo(timestampOf(final.block));
    await writer.sendNext(head, final.block);
  };
}

export function publishStep(
  parts: WorkParts,
  publisher: WindowPublisher,
  onWritten: () => void,
): () => Promise<void> {
  const { config, stores, sha256, atCommitPoint } = parts;
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

export function receiptsStep(parts: WorkParts, link: BrokerLink): () => Promise<void> {
  const { stores, sha256, atCommitPoint } = parts;
  const receipts = new ReceiptPublisher({
    store: stores.published,
    sha256,
    publish: async (topic, payload, retain) => await link.publish(topic, payload, retain),
    atCommitPoint,
  });
  return async () => await receipts.step();
}
