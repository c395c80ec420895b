/** Composition of the anchor service: opens what it stands on, hands the stages their ports, stops all in reverse order. */
import { existsSync } from 'node:fs';
import { OperationalError, UserError } from '../core/errors.ts';
import type { PublicKey } from '../core/signature.ts';
import { fastVerifyDigest } from '../hw/crypto/native-ecdsa.ts';
import { nativeSha256 } from '../hw/crypto/native-hash.ts';
import { startVerifyThreads } from '../hw/crypto/verify-threads.ts';
import { es256kSigner, newEs256kSecret } from '../hw/keys/file-signer.ts';
import { createKeyFile, readKeyFile } from '../hw/keys/key-file.ts';
import { makeAnswers } from './answers.ts';
import { ANCHOR_LOG_CODE_HASH } from './chain/anchor-log-abi.ts';
import { type Chain, openChain } from './chain/open-chain.ts';
import { keystoreSenderKey, senderKeyOf } from './chain/sender-key.ts';
import type { AtCommitPoint } from './commit-points.ts';
import type { AnchorServiceConfig, ChainClass } from './config.ts';
import { deviceKeys } from './configured-devices.ts';
import { keepLease, waitForLease } from './lease.ts';
import type { Clock, Lease, LeaseStore, Log, SenderKey } from './ports.ts';
import { startHttpServer } from './serve/http-server.ts';
import { standbyAnswer } from './serve/standby.ts';
import { readAuthorities } from './stamp/authorities.ts';
import { type LocalAuthority, startLocalAuthority } from './stamp/local/local-authority.ts';
import type { StampAuthority } from './stamp/obtain-stamp.ts';
import { Status } from './status.ts';
import { openStoreFile } from './store/open-stores.ts';
import { startWork } from './work.ts';

export type RunningAnchorService = {
  readonly mqttUrl: string;
  readonly httpUrl: string;
  readonly rpcUrls: readonly string[];
  readonly chainId: bigint;
  readonly chainClass: ChainClass;
  /** AnchorLog, 20 bytes. */
  readonly contract: Uint8Array;
  /** Keccak-256 of AnchorLog's code: 0x and 64 hexadecimal digits. */
  readonly contractCodeHash: string;
  /** The sender's address, 20 bytes. */
  readonly publisher: Uint8Array;
  /** Signs acceptances and beacons. */
  readonly servicePublicKey: PublicKey;
  /** DER certificate above the service's own time stamp authority, which convinces nobody; none without one. */
  readonly localStampRoot: Uint8Array | undefined;
  /** Resolves with the reason when the service halts itself; it then still answers over HTTP. */
  readonly halted: Promise<Error>;
  stop(): Promise<void>;
};

/** What surrounds the service: a program takes the defaults, a test its own. */
export type AnchorServiceEdges = {
  readonly clock: Clock;
  readonly log: Log;
  readonly atCommitPoint: AtCommitPoint;
  /** Ends the waiting while another service leads. */
  readonly cancelled: AbortSignal;
};

/**
 * Resolves when the service leads; while another one on this data folder does, it waits as its standby and
 * answers over HTTP that it is one. Who loses the lease halts with LEASE_LOST and is started anew as a standby.
 * @param config as `readConfig` or `readConfigFile` gives it
 * @throws UserError, OperationalError; STANDBY_CANCELLED when it was cancelled before it led
 */
export async function startAnchorService(
  config: AnchorServiceConfig,
  edges: Partial<AnchorServiceEdges> = {},
): Promise<RunningAnchorService> {
  await using parts = new AsyncDisposableStack();
  const running = await openParts(config, edges, parts);
  const opened = parts.move();
  return { ...running, stop: async () => await opened.disposeAsync() };
}

async function openParts(
  config: AnchorServiceConfig,
  edges: Partial<AnchorServiceEdges>,
  parts: AsyncDisposableStack,
): Promise<Omit<RunningAnchorService, 'stop'>> {
  const { clock = { nowMs: () => Date.now() }, log = () => undefined } = edges;
  const { atCommitPoint = () => undefined } = edges;
  const status = new Status(clock, log);
  const file = openStoreFile(config.dataDir);
  parts.defer(() => file.close());
  const term = await leadingTerm(file.lease, config, edges);
  const { holdMs } = config.lease;
  const keeping = keepLease({ store: file.lease, term, holdMs, status });
  parts.defer(async () => {
    await keeping.stop();
    letGo(file.lease, term);
  });
  const stores = file.lead(term);
  const canCreate = config.chain.class === 'local';
  const signer = es256kSigner(secretFrom(config.keys.serviceFile, 'service-key ES256K', canCreate));
  const chain = await openChain({
    dataDir: config.dataDir,
    config: config.chain,
    senderKey: await senderKeyFrom(config),
    replaces: config.keys.replaces,
    beaconStore: stores.beacons,
    hopStore: stores.hops,
    identityStore: stores.identity,
    transactionStore: stores.transactions,
    nowMs: () => clock.nowMs(),
    atCommitPoint,
  });
  parts.defer(async () => await chain.stop());
  const local = config.stamp.local ? await startLocalAuthority(config.dataDir, clock) : undefined;
  if (local !== undefined) parts.defer(async () => await local.close());
  const threads = await startVerifyThreads();
  parts.defer(async () => await threads.stop());
  const devices = deviceKeys(config, status);
  const work = await startWork({
    ...{ config, devices, stores, signer, chain, status, clock, atCommitPoint },
    sha256: nativeSha256,
    verify: fastVerifyDigest,
    verifyAll: threads.verifyAll,
    log,
    stampAuthorities: [
      ...readAuthorities(config.stamp.authorities),
      ...(local === undefined ? [] : [ownAuthority(local)]),
    ],
  });
  parts.defer(async () => await work.stop());
  const { link } = work;
  const answer = makeAnswers({
    ...{ config, devices, stores, signer, chain, status, link, clock, term },
    feeBudget: work.feeBudget,
    prunedStatements: work.prunedStatements,
    onMissingFile: work.onMissingFile,
    sha256: nativeSha256,
    verify: fastVerifyDigest,
  });
  const onFailure = (error: unknown): void => status.failed('serve', error);
  const http = await startHttpServer({ listen: config.http, answer, onFailure });
  parts.defer(async () => await http.close());
  watch(chain, status, async () => await work.stop());
  log('started', { mqtt: work.link.url, http: http.url, chain: chain.identity.chainId });
  return {
    mqttUrl: work.link.url,
    httpUrl: http.url,
    rpcUrls: chain.urls,
    ...chain.identity,
    chainClass: config.chain.class,
    contractCodeHash: ANCHOR_LOG_CODE_HASH,
    servicePublicKey: signer.key,
    localStampRoot: local?.root.der,
    halted: status.halted,
  };
}

function ownAuthority({ url, root }: LocalAuthority): StampAuthority {
  return { url, trusted: [{ certificate: root, policies: [] }] };
}

/** The waiting, which takes no time where no other service is or was. */
async function leadingTerm(
  store: LeaseStore,
  config: AnchorServiceConfig,
  { log = () => undefined, cancelled = new AbortController().signal }: Partial<AnchorServiceEdges>,
): Promise<number> {
  await using waiting = new AsyncDisposableStack();
  const onStandby = async (seen: Lease): Promise<void> => {
    const http = await startHttpServer({
      listen: config.http,
      answer: async ({ url = '/' }) => await Promise.resolve(standbyAnswer(url, store.look())),
      onFailure: () => undefined, // the row that cannot be read is looked at again anyway
    });
    waiting.defer(async () => await http.close());
    log('standby', { leader: seen.holder ?? '', term: seen.term, http: http.url });
  };
  // A local chain of the service's own is one process's.
  const mayStandBy = config.chain.rpc.length > 0;
  const { holdMs } = config.lease;
  let isReachable = true;
  const onUnreachable = ({ code, message }: OperationalError): void => {
    if (isReachable) log('lease-unreachable', { code, message });
    isReachable = false;
  };
  const waits = { store, holdMs, cancelled, mayStandBy, onStandby, onUnreachable };
  const term = await waitForLease(waits);
  if (term !== undefined) return term;
  const sentence = 'the service was stopped while another one led';
  throw new OperationalError('STANDBY_CANCELLED', sentence, { retryable: false });
}

/** So that nobody waits for it. When that fails, it runs out by itself. */
function letGo(store: LeaseStore, term: number): void {
  try {
    store.release(term);
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
  }
}

/** After a halt nothing more is accepted, signed or sent; /healthz goes on saying why. */
function watch(chain: Chain, status: Status, stopWork: () => Promise<void>): void {
  void status.halted.then(stopWork);
  void chain.ended.then(() => {
    const sentence = 'the local chain (anvil) ended';
    status.failed(
      'chain',
      new OperationalError('LOCAL_CHAIN_ENDED', sentence, { retryable: false }),
    );
  });
}

/**
 * A chain that somebody believes is written to with a key that no disk holds in the open.
 * @throws UserError KEYSTORE_*, KEY_FILE_*, SENDER_KEY_PLAIN
 */
async function senderKeyFrom({ keys, chain }: AnchorServiceConfig): Promise<SenderKey> {
  if (keys.senderKeystore !== undefined) return await keystoreSenderKey(keys.senderKeystore);
  if (chain.class !== 'local') {
    throw new UserError(
      'SENDER_KEY_PLAIN',
      `expected keys.sender_keystore, an encrypted key file, on this ${chain.class} chain`,
    );
  }
  return senderKeyOf(secretFrom(keys.senderFile, 'sender-key secp256k1', true));
}

/** Only a local chain, which convinces nobody, gets keys that nobody asked for. */
function secretFrom(path: string, purpose: string, canCreate: boolean): Uint8Array {
  if (canCreate && !existsSync(path)) createKeyFile(path, purpose, newEs256kSecret());
  return readKeyFile(path, purpose);
}
