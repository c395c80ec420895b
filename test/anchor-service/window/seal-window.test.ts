import { createHash } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { NewStatement } from '../../../anchor-service/ports.ts';
import type { Stores } from '../../../anchor-service/store/open-stores.ts';
import { openStoreFile, type StoreFile } from '../../../anchor-service/store/open-stores.ts';
import { sealWindow } from '../../../anchor-service/window/seal-window.ts';
import { concatBytes, toHex } from '../../../core/bytes.ts';
import { sha256 } from '../../../core/hash.ts';
import { decodeWindowRecord, windowTree } from '../../../core/window.ts';
import { Cleanup } from '../support/cleanup.ts';
import { temporaryFolder } from '../support/service.ts';
import { Vehicle } from '../support/vehicle.ts';

/** More than two parts. */
const MANY = 5000;
const cleanup = new Cleanup();
afterEach(async () => await cleanup.run());

const identity = {
  ...{ chainId: 1n, contract: new Uint8Array(20), publisher: new Uint8Array(20), firstWindow: 0 },
};
const attempt = {
  ...{ hash: bytes('attempt'), raw: new Uint8Array(1), feeCap: 1n, tip: 1n },
  ...{ gasLimit: 1n, signedAtBlock: 0 },
};
let dataDir: string;
let stores: Stores;
let accepted: number;

beforeEach(async () => {
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  dataDir = folder.path;
  accepted = 0;
  stores = lead().stores;
  stores.transactions.signContract(0, attempt, identity);
  const key = new Vehicle(1).session.key;
  const session = { id: bytes('session'), tag: bytes('tag').subarray(16), epoch: 0, log: 0, key };
  const { insertSession } = stores.intake;
  await stores.intake.inGroup(() =>
    insertSession({ ...session, deviceKeyId: bytes('device'), record: bytes('record') }),
  );
});

function bytes(text: string): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(text).digest());
}

function lead(): { readonly file: StoreFile; readonly stores: Stores } {
  const file = openStoreFile(dataDir);
  cleanup.add(() => file.close());
  const term = file.lease.take(file.lease.look(), 'a test');
  if (term === undefined) throw new Error('another process leads');
  return { file, stores: file.lead(term) };
}

async function accept(count: number): Promise<void> {
  await stores.intake.inGroup(() => {
    const group = stores.intake.insertAcceptance(bytes('acceptance'));
    for (let i = 0; i < count; i += 1) {
      stores.intake.insertStatement(statement(accepted), group, i);
      accepted += 1;
    }
  });
}

function statement(seq: number): NewStatement {
  return {
    ...{ id: bytes(`id ${seq}`), label: bytes(`label ${seq}`), hash: bytes(`hash ${seq}`) },
    ...{ sessionId: bytes('session'), tag: bytes('tag').subarray(16) },
    ...{ deviceKeyId: bytes('device'), epoch: 0, log: 0, seq },
    ...{ previousId: undefined, chunks: undefined, beaconNumber: undefined },
    bytes: bytes(`bytes ${seq}`),
  };
}

async function seal(atCommitPoint: (name: string) => void = () => undefined) {
  const clock = { nowMs: () => 0 };
  const options = { store: stores.windows, identity, clock, sha256, atCommitPoint };
  return await sealWindow({ ...options, maxStatements: 1 << 20, maxUnmined: 9 });
}

/** What a window lists, compared with its record. */
function entriesOf(seq: number, record: Uint8Array): readonly string[] {
  const { treeSize, root } = decodeWindowRecord(record);
  const entries = stores.published.entries(seq, 0, treeSize);
  expect(toHex(windowTree(entries, sha256).root())).toBe(toHex(root));
  return entries.map(toHex);
}

function entry(seq: number): string {
  return toHex(concatBytes(statement(seq).label, statement(seq).hash));
}

test.each([1, 2, 3])(
  'a window that was left after part %i of its places is sealed as if it had not been begun',
  async (part) => {
    await accept(MANY);
    let parts = 0;
    const stop = (name: string): void => {
      if (name === 'places-written') parts += 1;
      if (parts === part) throw new Error('the process dies here');
    };
    await expect(seal(stop)).rejects.toThrow('dies here');
    expect(stores.windows.lastWindow()).toBeUndefined();
    const placed = Object.keys(stores.published.entries(0, 0, MANY)).length;
    expect(placed).toBeGreaterThan(0);
    expect(placed).toBeLessThan(MANY);
    // By the next leader, which knows what the store knows.
    stores = lead().stores;
    await accept(3);
    const window = await seal();
    if (window === undefined) throw new Error('expected a window');
    const expected = Array.from({ length: MANY + 3 }, (_, seq) => entry(seq));
    expect(entriesOf(0, window.record)).toEqual([...expected].sort());
    expect(await seal()).toBeUndefined();
  },
);

test('what is accepted while a window is sealed is in exactly one window', async () => {
  await accept(MANY);
  let more = 2;
  const arrivals: Promise<void>[] = [];
  const first = await seal((name) => {
    if (name !== 'places-written' || more === 0) return;
    more -= 1;
    arrivals.push(accept(2));
  });
  await Promise.all(arrivals);
  const second = await seal();
  if (first === undefined || second === undefined) throw new Error('expected two windows');
  const entries = [...entriesOf(0, first.record), ...entriesOf(1, second.record)];
  expect(entries).toHaveLength(MANY + 4);
  expect(new Set(entries).size).toBe(MANY + 4);
});

test('a leader that lost its lease within a window writes no more of it', async () => {
  await accept(MANY);
  const sealing = seal((name) => {
    if (name === 'places-written') lead();
  });
  await expect(sealing).rejects.toMatchObject({ code: 'LEASE_LOST' });
  expect(stores.windows.lastWindow()).toBeUndefined();
});

test('who waited for the end of a transaction that grows with a window finds another beat', async () => {
  await accept(3);
  await seal();
  const { transactions } = stores;
  transactions.signWindow(0, 1, { ...attempt, hash: bytes('another') });
  transactions.markSent(0);
  transactions.markMined(0, 1);
  const standby = openStoreFile(dataDir);
  cleanup.add(() => standby.close());
  const seen = standby.lease.look();
  transactions.markFinal(0, {
    ...{ anchored: new Uint8Array(1), link: new Uint8Array(1), transaction: undefined },
    block: { number: 1, hash: bytes('block'), timestampS: 1 },
  });
  expect(standby.lease.take(seen, 'standby')).toBeUndefined();
});
