/** Composition of the anchor service: opens what it stands on, hands the stages their ports, stops all in reverse order. */
import { existsSync } from 'node:fs';
import { OperationalError } from '../core/errors.ts';
import type { PublicKey } from '../core/signature.ts';
import { fastVerifyDigest } from '../hw/crypto/native-ecdsa.ts';
import { nativeSha256 } from '../hw/crypto/native-hash.ts';
import { startVerifyThreads } from '../hw/crypto/verify-threads.ts';
import { es256kSigner, newEs256kSecret } from '../hw/keys/file-signer.ts';
import { createKeyFile, readKeyFile } from '../hw/keys/key-file.ts';
import { makeAnswers } from './answers.ts';
import { ANCHOR_LOG_CODE_HASH } from './chain/anchor-log-abi.ts';
import { type Chain, openChain } from './chain/open-chain.ts';
import type { AtCommitPoint } from './commit-points.ts';
import type { AnchorServiceConfig, ChainClass } from './config.ts';
import type { Clock, Log } from './ports.ts';
import { startHttpServer } from './serve/http-server.ts';
import { Status } from './status.ts';
import { openStores } from './store/open-stores.ts';
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
  /** Resolves with the reason when the service halts itself; it then still answers over HTTP. */
  readonly halted: Promise<Error>;
  stop(): Promise<void>;
};

/** What surrounds the service: a program takes the defaults, a test its own. */
export type AnchorServiceEdges = {
  readonly clock: Clock;
  readonly log: Log;
  readonly atCommitPoint: AtCommitPoint;
};

/** @param config as `readConfig` or `readConfigFile` gives it. @throws UserError, OperationalError */
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
  const stores = openStores(config.dataDir);
  parts.defer(() => stores.close());
  const canCreate = config.chain.class === 'local';
  const signer = es256kSigner(secretFrom(config.keys.serviceFile, 'service-key ES256K', canCreate));
  const chain = await openChain({
    dataDir: config.dataDir,
    config: config.chain,
    senderSecret: secretFrom(config.keys.senderFile, 'sender-key secp256k1', canCreate),
    identityStore: stores.identity,
    transactionStore: stores.transactions,
    nowMs: () => clock.nowMs(),
    atCommitPoint,
  });
  parts.defer(async () => await chain.stop());
  const status = new Status(clock, log);
  const threads = await startVerifyThreads();
  parts.defer(async () => await threads.stop());
  const work = await startWork({
    ...{ config, stores, signer, chain, status, clock, atCommitPoint },
    sha256: nativeSha256,
    verify: fastVerifyDigest,
    verifyAll: threads.verifyAll,
  });
  parts.defer(async () => await work.stop());
  const { link } = work;
  const answer = makeAnswers({
    ...{ config, stores, signer, chain, status, link, clock },
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
    halted: status.halted,
  };
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

/** Only a local chain, which convinces nobody, gets keys that nobody asked for. */
function secretFrom(path: string, purpose: string, canCreate: boolean): Uint8Array {
  if (canCreate && !existsSync(path)) createKeyFile(path, purpose, newEs256kSecret());
  return readKeyFile(path, purpose);
}
