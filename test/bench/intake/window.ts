/**
 * 100,000 vehicles in one window: from its close to the last receipt, with the service's own stages in this process.
 * Statements are put into the store by the group commit, since how fast they arrive is another figure.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readConfig } from '../../../anchor-service/config.ts';
import { Admission, verified } from '../../../anchor-service/intake/admission.ts';
import { listedDeviceKeys } from '../../../anchor-service/intake/device-keys.ts';
import { commitGroup } from '../../../anchor-service/intake/group-commit.ts';
import { startAnchorService } from '../../../anchor-service/main.ts';
import type { ServiceIdentity } from '../../../anchor-service/ports.ts';
import { openStoreFile } from '../../../anchor-service/store/open-stores.ts';
import { sealWindow } from '../../../anchor-service/window/seal-window.ts';
import { toHex } from '../../../core/bytes.ts';
import { decodeReceiptMessage, type ReceiptMessage } from '../../../core/wire.ts';
import { fastVerifyDigest } from '../../../hw/crypto/native-ecdsa.ts';
import { nativeSha256 } from '../../../hw/crypto/native-hash.ts';
import { es256kSigner, newEs256kSecret } from '../../../hw/keys/file-signer.ts';
import { startTestChain, type TestChain } from '../../anchor-service/support/chain.ts';
import { type SignedStatement, Vehicle } from '../../anchor-service/support/vehicle.ts';
import { verifyReceipt } from '../../anchor-service/support/verify-receipt.ts';
import { MqttSocket } from './mqtt-socket.ts';

const GROUP = 2048;
/** Device keys, each of a hundred vehicles: tags, sessions and statements are all different. */
const KEYS = 1000;

export type WindowResult = {
  readonly vehicles: number;
  readonly connected: number;
  /** The close: tree, record, and the place of each statement, committed. */
  readonly sealMs: number;
  /** From the first block after the close to the proof that the window is final: a block every second here. */
  readonly chainMs: number;
  /** From there to the last receipt at the broker, and at the vehicles that are connected. */
  readonly receiptsMs: number;
  readonly deliveredMs: number;
  readonly inclusionBytes: number;
  readonly sharedBytes: number;
  readonly memoryMb: number;
};

export async function runWindow(options: {
  readonly vehicles: number;
  readonly connected: number;
  readonly folder: string;
}): Promise<WindowResult> {
  const folder = mkdtempSync(join(options.folder, 'wmk-window-'));
  const chain = await startTestChain(['--block-time', '0.2']);
  try {
    return await measure(options, folder, chain);
  } finally {
    await chain.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(
  { vehicles: count, connected }: { readonly vehicles: number; readonly connected: number },
  folder: string,
  chain: TestChain,
): Promise<WindowResult> {
  const config = readConfig({
    data_dir: folder,
    broker: { port: 0 },
    http: { port: 0 },
    chain: { rpc: [chain.url], class: 'local', poll_ms: 50 },
    window: { every_ms: 600_000 },
  });
  // Once without a statement: it has its keys and its contract then.
  const first = await startAnchorService(config);
  await first.stop();
  const { samples, sealMs } = await fillAndSeal(folder, { ...first, firstWindow: 0 }, count);
  const at = new Map<string, number>();
  // No block until all are connected: whoever is away when a receipt goes out has to ask for it.
  await chain.rpc('evm_setIntervalMining', 0);
  const service = await startAnchorService(config, {
    atCommitPoint: (name) => at.set(name, performance.now()),
  });
  let largest = 0;
  const watching = setInterval(() => {
    largest = Math.max(largest, process.memoryUsage.rss());
  }, 50);
  const receipts = new Map<string, Uint8Array>();
  let ready = 0;
  const port = Number(new URL(service.mqttUrl).port);
  const sockets = samples.slice(0, connected).map(({ tag }) => {
    const name = toHex(tag);
    return new MqttSocket(port, name, [`v1/${name}/receipt`], {
      onReady: () => {
        ready += 1;
      },
      onPuback: () => undefined,
      onClosed: () => undefined,
      onMessage: (_topic, payload) => {
        receipts.set(name, Uint8Array.from(payload));
        at.set('delivered', performance.now());
      },
    });
  });
  while (ready < sockets.length) await sleep(20);
  await chain.rpc('evm_setIntervalMining', 1);
  const startedMs = performance.now();
  while (!at.has('window-published') || receipts.size < sockets.length) await sleep(20);
  clearInterval(watching);
  for (const socket of sockets) socket.close();
  await service.stop();
  const messages = samples.slice(0, connected).map(({ tag, statement }) => {
    const message = decodeReceiptMessage(receipts.get(toHex(tag)) ?? new Uint8Array(0));
    verifyReceipt(statement, message);
    return message;
  });
  const moment = (name: string): number => at.get(name) ?? Number.NaN;
  const bytes = (of: (message: ReceiptMessage) => number) => Math.max(...messages.map(of));
  return {
    ...{ vehicles: count, connected, sealMs },
    chainMs: moment('window-final') - startedMs,
    receiptsMs: moment('window-published') - moment('window-final'),
    deliveredMs: moment('delivered') - moment('window-final'),
    inclusionBytes: bytes(({ inclusion }) => inclusion.length),
    sharedBytes: bytes(({ window, link }) => window.length + link.length),
    memoryMb: largest / 2 ** 20,
  };
}

type Sample = { readonly tag: Uint8Array; readonly statement: SignedStatement };

/** One statement of each vehicle, admitted and committed as the intake does it, and their window sealed. */
async function fillAndSeal(
  dataDir: string,
  identity: ServiceIdentity,
  count: number,
): Promise<{ readonly samples: readonly Sample[]; readonly sealMs: number }> {
  const file = openStoreFile(dataDir);
  const term = file.lease.take(file.lease.look(), 'bench');
  if (term === undefined) throw new Error('another process leads');
  const stores = file.lead(term);
  try {
    const keys = Array.from({ length: KEYS }, (_, i) => new Vehicle(i));
    const admission = new Admission({
      devices: listedDeviceKeys(keys.map(({ deviceKeyHex }) => deviceKeyHex)),
      ...{ findSession: stores.intake.findSession, verify: fastVerifyDigest, sha256: nativeSha256 },
    });
    const signer = es256kSigner(newEs256kSecret());
    const options = { store: stores.intake, signer, sha256: nativeSha256, identity };
    const samples: Sample[] = [];
    for (let from = 0; from < count; from += GROUP) {
      const group = Array.from({ length: Math.min(GROUP, count - from) }, (_, i) => from + i);
      const admitted = group.flatMap((number) => {
        const tag = nativeSha256(Uint8Array.of(number, number >> 8, number >> 16)).slice(0, 16);
        const vehicle = new Vehicle(number % KEYS, { tag });
        const statement = vehicle.statement(0, { tag });
        samples.push({ tag, statement });
        const session = admission.admit(toHex(tag), 'session', vehicle.sessionBytes);
        const looked = admission.admit(toHex(tag), 'statement', statement.bytes);
        if (session.kind !== 'session' || looked.kind !== 'unverified') throw new Error('refused');
        return [session, verified(looked, true)];
      });
      const acceptedAtMs = Date.now();
      await commitGroup(admitted, { acceptedAtMs, anchorByMs: acceptedAtMs + 3_600_000 }, options);
    }
    const beganMs = performance.now();
    const clock = { nowMs: () => Date.now() };
    const sealing = { ...{ store: stores.windows, identity, clock, sha256: nativeSha256 } };
    await sealWindow({
      ...{ ...sealing, atCommitPoint: () => undefined, maxStatements: 1 << 20, maxUnmined: 4 },
    });
    return { samples, sealMs: performance.now() - beganMs };
  } finally {
    file.lease.release(term);
    file.close();
  }
}
