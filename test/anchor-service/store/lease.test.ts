import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keepLease, waitForLease } from '../../../anchor-service/lease.ts';
import { Status } from '../../../anchor-service/status.ts';
import { openStoreFile, type StoreFile } from '../../../anchor-service/store/open-stores.ts';
import { until } from '../../chaos/trial.ts';
import { Cleanup } from '../support/cleanup.ts';
import { temporaryFolder } from '../support/service.ts';

const cleanup = new Cleanup();
let dataDir: string;
beforeEach(() => {
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  dataDir = folder.path;
});
afterEach(async () => await cleanup.run());

function open(): StoreFile {
  const file = openStoreFile(dataDir);
  cleanup.add(() => file.close());
  return file;
}

function taken(file: StoreFile): number {
  const term = file.lease.take(file.lease.look(), 'a test');
  if (term === undefined) throw new Error('the lease was taken by another');
  return term;
}

function codeOf(act: () => unknown): unknown {
  try {
    act();
    return 'done';
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}

async function wait(file: StoreFile, holdMs: number, mayStandBy = true) {
  const cancelled = new AbortController();
  cleanup.add(() => cancelled.abort());
  let standbys = 0;
  const onStandby = async (): Promise<void> => {
    await Promise.resolve();
    standbys += 1;
  };
  const onUnreachable = (): void => undefined;
  const { signal } = cancelled;
  const store = file.lease;
  const term = await waitForLease({
    store,
    holdMs,
    cancelled: signal,
    mayStandBy,
    onStandby,
    onUnreachable,
  });
  return { term, standbys };
}

test('a lease that nobody holds is taken at once, and so is one that was given back', async () => {
  const [first, second] = [open(), open()];
  expect(await wait(first, 60_000)).toEqual({ term: 1, standbys: 0 });
  first.lease.release(1);
  expect(await wait(second, 60_000)).toEqual({ term: 2, standbys: 0 });
});

test('a lease is taken when its beat stood still, and not while it beats', async () => {
  const [first, second] = [open(), open()];
  const term = taken(first);
  let beats = 0;
  const timer = setInterval(() => {
    first.lease.beat(term);
    beats += 1;
    if (beats === 40) clearInterval(timer);
  }, 20);
  cleanup.add(() => clearInterval(timer));
  expect(await wait(second, 400)).toEqual({ term: 2, standbys: 1 });
  expect(beats).toBe(40);
  expect(first.lease.beat(term)).toBe(false);
});

test('of two that saw the same lease one takes it', () => {
  const [first, second] = [open(), open()];
  const seen = first.lease.look();
  expect(first.lease.take(seen, 'first')).toBe(1);
  expect(second.lease.take(seen, 'second')).toBeUndefined();
});

test('a beat that was missed by the one that waits keeps the lease', () => {
  const [first, second] = [open(), open()];
  const term = taken(first);
  const seen = second.lease.look();
  first.lease.beat(term);
  expect(second.lease.take(seen, 'second')).toBeUndefined();
});

test('where there may be no standby, a holder that beats is an error', async () => {
  const [first, second] = [open(), open()];
  const term = taken(first);
  const timer = setInterval(() => first.lease.beat(term), 20);
  cleanup.add(() => clearInterval(timer));
  await expect(wait(second, 1000, false)).rejects.toMatchObject({ code: 'DATA_FOLDER_IN_USE' });
});

test('a holder that lost its lease halts', async () => {
  const [first, second] = [open(), open()];
  const term = taken(first);
  const status = new Status({ nowMs: () => 0 }, () => undefined);
  const keeping = keepLease({ store: first.lease, term, holdMs: 100, status });
  cleanup.add(async () => await keeping.stop());
  await until(() => {
    // As if it had stood still: taken between two beats.
    return second.lease.take(second.lease.look(), 'second') !== undefined;
  });
  expect(await status.halted).toMatchObject({ code: 'LEASE_LOST', retryable: false });
});

test('after a takeover the old leader writes to no table, inside and outside of a transaction', async () => {
  const [old, young] = [open(), open()];
  const stores = old.lead(taken(old));
  const session = { id: fill(1, 32), tag: fill(2, 16), epoch: 0, log: 0, record: fill(3, 1) };
  const key = { algorithm: 'ES256K', bytes: fill(4, 33) } as const;
  const insert = (): void =>
    stores.intake.insertSession({ ...session, deviceKeyId: fill(5, 32), key });
  await stores.intake.inGroup(insert);
  young.lead(taken(young));

  const identity = { chainId: 1n, contract: fill(6, 20), publisher: fill(7, 20), firstWindow: 0 };
  const sealed = { seq: 0, record: fill(8, 8), hash: fill(9, 32), treeSize: 1 };
  const attempt = {
    ...{ hash: fill(1, 32), raw: fill(2, 8), feeCap: 1n, tip: 1n },
    ...{ gasLimit: 1n, signedAtBlock: 0 },
  };
  const beacon = {
    number: 1,
    hash: fill(1, 32),
    signed: fill(2, 8),
    publishedAtMs: 0,
    header: undefined,
  };
  const other = { ...session, id: fill(11, 32), deviceKeyId: fill(5, 32), key };
  for (const write of [
    (): unknown => stores.intake.insertSession(other),
    (): unknown => stores.intake.insertAcceptance(fill(1, 8)),
    (): unknown => stores.intake.insertFork(fill(1, 32), fill(2, 32), fill(3, 8)),
    (): unknown => stores.identity.storeIdentity(identity),
    (): unknown => stores.windows.seal(sealed, 0),
    (): unknown => stores.transactions.signContract(0, attempt, identity),
    (): unknown => stores.transactions.addAttempt(0, attempt),
    (): unknown => stores.beacons.insertBeacon(beacon),
  ]) {
    expect(codeOf(write), String(write)).toBe('LEASE_LOST');
  }
  const late = stores.intake.inGroup(() => stores.intake.insertSession(other));
  await expect(late).rejects.toMatchObject({ code: 'LEASE_LOST' });
  expect(codeOf(() => old.lead(1))).toBe('LEASE_LOST');
});

test('a store that is newer than this service is refused, and by a standby is left as it is', () => {
  const file = open();
  file.lead(taken(file));
  const db = new Database(join(dataDir, 'anchor-service.sqlite'));
  db.pragma('user_version = 1000');
  db.close();
  expect(codeOf(() => openStoreFile(dataDir))).toBe('STORE_TOO_NEW');
});

function fill(byte: number, length: number): Uint8Array {
  return new Uint8Array(length).fill(byte);
}
