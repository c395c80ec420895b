/**
 * From configuration to a chain that may be written to: its endpoints, the contract on it, the sender.
 * After a restart the chain may be down: the identity is known by then, and nothing is sent before the
 * checks were made.
 */
import { equalBytes } from '../../core/bytes.ts';
import { UserError } from '../../core/errors.ts';
import type { AtCommitPoint } from '../commit-points.ts';
import type {
  BeaconStore,
  EndpointHealth,
  HopStore,
  IdentityStore,
  SenderKey,
  ServiceIdentity,
  TransactionStore,
} from '../ports.ts';
import { checkContract, readChainId, storedIdentity } from './bind-contract.ts';
import {
  type DeployOptions,
  finishDeployment,
  fundLocalSender,
  signDeployment,
} from './deploy-contract.ts';
import { watchedEndpoint } from './endpoint-health.ts';
import { Endpoints } from './endpoints.ts';
import { httpEndpoint } from './json-rpc.ts';
import { type LocalChain, startLocalChain } from './local-chain.ts';
import { Sender } from './sender.ts';
import { takeOver } from './take-over.ts';

export type ChainOptions = {
  readonly dataDir: string;
  readonly config: {
    readonly rpc: readonly string[];
    readonly class: 'public' | 'consortium' | 'local';
    readonly id: bigint | undefined;
    readonly contract: Uint8Array | undefined;
    readonly quorum: number;
    readonly timeoutMs: number;
  };
  readonly senderKey: SenderKey;
  /** The publisher that this key takes over from, 20 bytes. */
  readonly replaces: Uint8Array | undefined;
  readonly beaconStore: BeaconStore;
  readonly hopStore: Pick<HopStore, 'newestHops'>;
  readonly identityStore: IdentityStore;
  readonly transactionStore: TransactionStore;
  readonly nowMs: () => number;
  readonly atCommitPoint: AtCommitPoint;
};

export type Chain = {
  readonly urls: readonly string[];
  readonly endpoints: Endpoints;
  readonly identity: ServiceIdentity;
  readonly sender: Sender;
  endpointHealth(): readonly EndpointHealth[];
  /** Resolves when the service's own chain ended by itself; never for endpoints of others. */
  readonly ended: Promise<void>;
  /** Makes the checks once. @throws OperationalError (retryable) while the chain does not answer; UserError */
  ensureBound(): Promise<void>;
  /** So that nobody waits for an endpoint that does not answer. */
  cancelCalls(): void;
  stop(): Promise<void>;
};

/** @throws UserError CHAIN_ID_MISMATCH, CONTRACT_*, CHAIN_NO_HISTORY, DATA_FOLDER_OTHER_IDENTITY; OperationalError */
export async function openChain(options: ChainOptions): Promise<Chain> {
  const { config, dataDir } = options;
  const own = config.rpc.length === 0 ? await startLocalChain(dataDir) : undefined;
  try {
    return await bindChain(options, own);
  } catch (error) {
    await own?.stop();
    throw error;
  }
}

async function bindChain(options: ChainOptions, own: LocalChain | undefined): Promise<Chain> {
  const { config, senderKey, identityStore, replaces } = options;
  const cancel = new AbortController();
  const urls = own === undefined ? config.rpc : [own.url];
  const watched = urls.map((url) =>
    watchedEndpoint(httpEndpoint(url, config.timeoutMs, cancel.signal), options.nowMs),
  );
  const endpoints = new Endpoints(watched, config.quorum);
  const publisher = senderKey.address;
  const { id: chainId, contract } = config;
  const stored = storedIdentity(identityStore, { chainId, contract, publisher, replaces });
  let identity = stored ?? (await firstIdentity(options, endpoints, publisher));
  const sender = new Sender(senderKey, identity.chainId);
  let bound = false;
  const ensureBound = async (): Promise<void> => {
    if (bound) return;
    await readChainId(endpoints, identity.chainId);
    // A chain of our own that was started again has the states of new blocks only.
    if (own !== undefined) await endpoints.any((e) => e.call('anvil_mine', ['0x4']));
    await finishOwnContract(deployment(options, endpoints, identity.chainId), identity);
    await checkContract(endpoints, identity.contract);
    bound = true;
  };
  const isSuccession = !equalBytes(identity.publisher, publisher);
  // A succession looks at what is final first, so the chain must be there.
  await ensureBoundUnlessDown(ensureBound, stored !== undefined && !isSuccession);
  if (isSuccession) identity = await takeOver(options, endpoints, identity);
  return {
    urls,
    endpoints,
    identity,
    sender,
    endpointHealth: () => watched.map((endpoint) => endpoint.health()),
    ended: own?.ended ?? new Promise<void>(() => undefined),
    ensureBound,
    cancelCalls: () => cancel.abort(),
    stop: async () => await own?.stop(),
  };
}

async function firstIdentity(
  options: ChainOptions,
  endpoints: Endpoints,
  publisher: Uint8Array,
): Promise<ServiceIdentity> {
  const { config, identityStore } = options;
  const chainId = await readChainId(endpoints, config.id);
  if (config.contract !== undefined) {
    await checkContract(endpoints, config.contract);
    const identity = { chainId, contract: config.contract, publisher, firstWindow: 0 };
    identityStore.storeIdentity(identity);
    return identity;
  }
  if (config.class !== 'local') {
    throw new UserError(
      'CONTRACT_MISSING',
      `expected chain.contract, the address of AnchorLog on this ${config.class} chain`,
    );
  }
  const deploy = deployment(options, endpoints, chainId);
  await fundLocalSender(endpoints, deploy.sender);
  return await signDeployment(deploy);
}

/** Nothing to do when the contract was configured. */
async function finishOwnContract(options: DeployOptions, identity: ServiceIdentity): Promise<void> {
  if (options.store.contractAttempts().length === 0) return;
  await fundLocalSender(options.endpoints, options.sender);
  await finishDeployment(options, identity);
}

function deployment(options: ChainOptions, endpoints: Endpoints, chainId: bigint): DeployOptions {
  const { transactionStore: store, senderKey, atCommitPoint } = options;
  const sender = new Sender(senderKey, chainId);
  const canMine = options.config.rpc.length === 0;
  return { endpoints, store, sender, chainId, atCommitPoint, canMine };
}

/** A chain that is down at a later start is made up for by the writer, which binds before it sends. */
async function ensureBoundUnlessDown(bind: () => Promise<void>, isKnown: boolean): Promise<void> {
  try {
    await bind();
  } catch (error) {
    const { retryable } = error as { retryable?: unknown };
    if (!isKnown || retryable !== true) throw error;
  }
}
