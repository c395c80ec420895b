/**
 * A window that takes several times as long as the lease is held: it takes a standby beside the leader to see whether the
 * lease has its beat meanwhile, and a process of its own for each, since the one that is busy is the one that beats.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, expect, test } from 'vitest';
import type { AnchorServiceOptions } from '../../../anchor-service/config.ts';
import { decodeNewest, NEWEST_FILE, windowFile } from '../../../core/published.ts';
import { decodeAnchoredWindow } from '../../../core/receipt.ts';
import { decodeWindowRecord, verifyWindowList } from '../../../core/window.ts';
import { nativeSha256 } from '../../../hw/crypto/native-hash.ts';
import { until } from '../../chaos/trial.ts';
import { type ChildService, freePort, startChild } from '../crash/child-service.ts';
import { startTestChain } from '../support/chain.ts';
import { Cleanup } from '../support/cleanup.ts';
import { leadingStores } from '../support/leading-stores.ts';
import { serviceOptions, temporaryFolder } from '../support/service.ts';
import { Vehicle } from '../support/vehicle.ts';

const HOLD_MS = 1000;
const STATEMENTS = 60_000;
const GROUP = 2000;

const cleanup = new Cleanup();
afterEach(async () => await cleanup.run());

function begin(options: AnchorServiceOptions): ChildService {
  const service = startChild(options);
  cleanup.add(async () => await service.kill());
  return service;
}

/** As many statements as no test could send: what the intake stores of each, with bytes that nobody reads here. */
async function fill(dataDir: string): Promise<void> {
  const { stores, close } = leadingStores(dataDir);
  const session = { id: bytes('session'), tag: bytes('tag').subarray(0, 16), epoch: 0, log: 0 };
  const { tag } = session;
  const deviceKeyId = bytes('device');
  const key = new Vehicle(1).session.key;
  await stores.intake.inGroup(() =>
    stores.intake.insertSession({ ...session, deviceKeyId, key, record: bytes('record') }),
  );
  for (let from = 0; from < STATEMENTS; from += GROUP) {
    await stores.intake.inGroup(() => {
      const group = stores.intake.insertAcceptance(new Vehicle(1).sessionBytes);
      for (let i = 0; i < GROUP; i += 1) {
        const seq = from + i;
        stores.intake.insertStatement(
          {
            ...{ id: bytes(`id ${seq}`), label: bytes(`label ${seq}`), hash: bytes(`hash ${seq}`) },
            ...{ sessionId: session.id, tag, deviceKeyId, epoch: 0, log: 0, seq },
            ...{ previousId: undefined, chunks: undefined, beaconNumber: 1 },
            bytes: bytes(`bytes ${seq}`),
          },
          group,
          i,
        );
      }
    });
  }
  close();
}

function bytes(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}

function stored<T>(dataDir: string, query: string): T | undefined {
  const db = new Database(join(dataDir, 'anchor-service.sqlite'), { readonly: true });
  try {
    return db.prepare<[], T>(query).pluck().get();
  } finally {
    db.close();
  }
}

test('a window that takes longer than the lease is held is sealed, anchored and published under one term', {
  timeout: 240_000,
}, async () => {
  const chain = await startTestChain(['--block-time', '0.2']);
  cleanup.add(async () => await chain.stop());
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  const options = serviceOptions(folder.path, [new Vehicle(1)], {
    chain: { rpc: [chain.url], class: 'local', poll_ms: 50 },
    broker: { port: await freePort() },
    lease: { hold_ms: HOLD_MS },
  });
  const first = startChild(options);
  await first.introduced();
  await first.stop();
  await fill(folder.path);
  const term = Number(stored(folder.path, 'SELECT term FROM lease')) + 1;

  // Whichever of the two is first: the window is begun at once, and the other must see it.
  const services = [begin(options), begin({ ...options, http: { port: await freePort() } })];
  const introduced = services.map(async (service, i) => ({ i, ...(await service.introduced()) }));
  const { i, httpUrl } = await Promise.race(introduced);
  await services[1 - i]?.logged('standby');
  await until(() => stored(folder.path, "SELECT 1 FROM window WHERE state = 'PUBLISHED'") === 1);
  expect(stored(folder.path, 'SELECT term FROM lease')).toBe(term);
  expect(stored(folder.path, 'SELECT count(*) FROM window')).toBe(1);

  const published = `${httpUrl}/v1/published/`;
  await until(async () => (await fetch(`${published}${NEWEST_FILE}`)).ok);
  const { recent } = decodeNewest(await (await fetch(`${published}${NEWEST_FILE}`)).text());
  const [window] = recent;
  if (window === undefined) throw new Error('expected a window');
  const file = async (part: 'entries' | 'anchored'): Promise<Uint8Array> =>
    new Uint8Array(await (await fetch(`${published}${windowFile(window, part)}`)).arrayBuffer());
  const list = await file('entries');
  expect(list.length).toBe(64 * STATEMENTS);
  const entries = Array.from({ length: STATEMENTS }, (_, i) => list.subarray(64 * i, 64 * (i + 1)));
  const record = decodeWindowRecord(decodeAnchoredWindow(await file('anchored')).record);
  verifyWindowList(record, entries, nativeSha256);
});
