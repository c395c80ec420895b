import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { AnchorServiceOptions } from '../../../anchor-service/config.ts';
import { Answers } from '../../../anchor-service/intake/answers.ts';
import type { AnchorServiceEdges, RunningAnchorService } from '../../../anchor-service/main.ts';
import { toHex } from '../../../core/bytes.ts';
import { sha256 } from '../../../core/hash.ts';
import { until } from '../../chaos/trial.ts';
import { startTestChain, type TestChain } from '../support/chain.ts';
import { Cleanup } from '../support/cleanup.ts';
import { serviceOptions, startTestService, temporaryFolder } from '../support/service.ts';
import { type SignedStatement, Vehicle } from '../support/vehicle.ts';
import { verifyAcceptance, verifyReceipt } from '../support/verify-receipt.ts';

const DAY_S = 86_400;
const cleanup = new Cleanup();
let chain: TestChain;
let dataDir: string;
let vehicle: Vehicle;
let other: Vehicle;
let service: RunningAnchorService;

beforeAll(async () => {
  chain = await startTestChain(['--block-time', '0.2']);
});
afterAll(async () => await chain.stop());
beforeEach(() => {
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  dataDir = folder.path;
  vehicle = new Vehicle(1);
  other = new Vehicle(2);
});
afterEach(async () => await cleanup.run());

async function start(
  change: Omit<AnchorServiceOptions, 'data_dir'> = {},
  edges: Partial<AnchorServiceEdges> = {},
): Promise<void> {
  const options = serviceOptions(dataDir, [vehicle, other], {
    chain: { rpc: [chain.url], class: 'local', poll_ms: 50 },
    // Many statements of one connection come into one group commit.
    intake: { group_ms: 200 },
    retention: { statements_days: 30 },
    ...change,
  });
  service = await startTestService(options, edges);
  cleanup.add(async () => await service.stop());
  for (const each of [vehicle, other]) {
    await each.disconnect();
    each.forget();
    await each.connect(service.mqttUrl);
    cleanup.add(async () => await each.disconnect());
    await each.sendSession();
  }
}

async function anchored(sent: readonly (readonly [Vehicle, SignedStatement])[]): Promise<void> {
  await Promise.all(sent.map(async ([by, { bytes }]) => await by.send('statement', bytes)));
  for (const [by, statement] of sent) await by.receipt(statement);
}

function stored<T>(query: string): readonly T[] {
  const db = new Database(join(dataDir, 'anchor-service.sqlite'), { readonly: true });
  try {
    return db.prepare<[], T>(query).pluck().all();
  } finally {
    db.close();
  }
}

const storedIds = (): readonly string[] =>
  stored<Uint8Array>('SELECT id FROM statement').map((id) => toHex(id));

/** A window further on in the chain's time, so that what is older than 30 days is seen to be. */
async function daysLater(days: number, statement: SignedStatement): Promise<void> {
  await chain.rpc('evm_increaseTime', days * DAY_S);
  await anchored([[vehicle, statement]]);
}

async function pruned(count: number): Promise<void> {
  await until(async () => {
    const text = await (await fetch(`${service.httpUrl}/metrics`)).text();
    return text.includes(`witnessmark_service_pruned_statements_total ${count}\n`);
  });
}

async function windowJson(seq: number): Promise<unknown> {
  return await (await fetch(`${service.httpUrl}/v1/windows/${seq}`)).json();
}

function publishedFiles(): ReadonlyMap<string, string> {
  const folder = join(dataDir, 'published', 'windows');
  return new Map(
    readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'hex')]),
  );
}

test('statements go when they are old, and nothing else changes for anybody', {
  timeout: 60_000,
}, async () => {
  await start();
  const all = [0, 1, 2, 3, 5].map((seq) => vehicle.statement(seq));
  const [first, forked] = all as [SignedStatement, SignedStatement];
  const silent = other.statement(0);
  await anchored([[other, silent], ...all.map((each) => [vehicle, each] as const)]);
  const fork = vehicle.statement(1, { root: new Uint8Array(32) });
  await vehicle.send('statement', fork.bytes);
  expect((await vehicle.refusal(fork.id)).code).toBe('STATEMENT_FORK');
  const window = await windowJson(0);
  const newest = vehicle.statement(6);
  await daysLater(31, newest);
  await pruned(4);

  // The first of a fork, and the newest of each vehicle, who may come back after years.
  expect([...storedIds()].sort()).toEqual(
    [forked, silent, newest].map(({ id }) => toHex(id)).sort(),
  );
  expect(await windowJson(0)).toEqual(window);
  for (const [by, statement] of [
    [other, silent],
    [vehicle, forked],
  ] as const) {
    by.forget();
    await by.want(statement);
    verifyAcceptance(await by.acceptance(statement), service.servicePublicKey);
    verifyReceipt(statement, await by.receipt(statement));
  }
  expect((await vehicle.ask()).last?.statement).toEqual(newest.bytes);
  expect((await other.ask()).last?.statement).toEqual(silent.bytes);

  // Nothing stands in a second window, neither the same nor another one.
  const another = vehicle.statement(2, { root: new Uint8Array(32) });
  for (const { id, bytes } of [first, another]) {
    await vehicle.send('statement', bytes);
    expect((await vehicle.refusal(id)).code).toBe('STATEMENT_PRUNED');
  }
  const secondFork = vehicle.statement(1, { root: new Uint8Array(32).fill(1) });
  await vehicle.send('statement', secondFork.bytes);
  expect((await vehicle.refusal(secondFork.id)).code).toBe('STATEMENT_FORK');
  // What never came is no place that was taken.
  const late = vehicle.statement(4);
  await anchored([[vehicle, late]]);
});

test('what is younger than it is kept stays, however late the service believes it is', {
  timeout: 60_000,
}, async () => {
  await start();
  const statements = [0, 1].map((seq) => vehicle.statement(seq));
  await anchored(statements.map((each) => [vehicle, each]));
  await daysLater(29, vehicle.statement(2));
  await service.stop();
  await start({}, { clock: { nowMs: () => Date.now() + 400 * DAY_S * 1000 } });
  await anchored([[vehicle, vehicle.statement(3)]]);
  expect(storedIds()).toHaveLength(4);
});

test('without the setting everything is kept', { timeout: 60_000 }, async () => {
  await start({ retention: {} });
  await anchored([[vehicle, vehicle.statement(0)]]);
  await daysLater(4000, vehicle.statement(1));
  await service.stop();
  await start({ retention: {} });
  await anchored([[vehicle, vehicle.statement(2)]]);
  expect(storedIds()).toHaveLength(3);
});

test('the files of a window are written again after its statements are gone', {
  timeout: 60_000,
}, async () => {
  await start();
  // More than one stretch, so that the list is put together.
  const statements = Array.from({ length: 300 }, (_, seq) => vehicle.statement(seq));
  await anchored(statements.map((each) => [vehicle, each]));
  await daysLater(31, vehicle.statement(300));
  await pruned(300);
  await until(() => stored('SELECT seq FROM written_window').length > 1);
  expect(stored('SELECT n FROM acceptance').length).toBeLessThan(3);
  expect(stored('SELECT first, last FROM pruned_statements')).toHaveLength(1);
  await service.stop();
  const before = publishedFiles();
  rmSync(join(dataDir, 'published'), { recursive: true });
  await start();
  // The index comes last.
  await until(() => existsSync(join(dataDir, 'published', 'newest.json')));
  expect(publishedFiles()).toEqual(before);
});

test('a statement that is pruned right before its answer gets none, and nothing breaks', async () => {
  const answers = new Answers({ groupIds: () => [] }, sha256);
  const published: string[] = [];
  const publish = async (topic: string): Promise<void> => {
    await Promise.resolve();
    published.push(topic);
  };
  const closing = { isConnected: () => true, close: async () => await Promise.resolve() };
  answers.connect({ url: 'mqtt://127.0.0.1', publish, ...closing });
  const given = { group: 7, acceptance: new Uint8Array(3), leafIndex: 2 };
  await answers.accepted('00', { id: new Uint8Array(32), given }, new Map());
  expect(published).toEqual([]);
});

test('what was the newest goes at a later look', { timeout: 60_000 }, async () => {
  await start();
  await anchored([[vehicle, vehicle.statement(0)]]);
  await anchored([[other, other.statement(0)]]);
  const newest = other.statement(1);
  await chain.rpc('evm_increaseTime', 31 * DAY_S);
  await anchored([[other, newest]]);
  await pruned(1);
  const last = vehicle.statement(1);
  await anchored([[vehicle, last]]);
  // A start looks from the first window on, as it does once an hour.
  await service.stop();
  await start();
  await pruned(1);
  expect([...storedIds()].sort()).toEqual([newest, last].map(({ id }) => toHex(id)).sort());
});
