import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AnchorServiceOptions } from '../../../anchor-service/config.ts';
import type { RunningAnchorService } from '../../../anchor-service/main.ts';
import { run as forks } from '../../../cli/commands/forks.ts';
import { run as verify } from '../../../cli/commands/verify.ts';
import { toHex } from '../../../core/bytes.ts';
import { sha256 } from '../../../core/hash.ts';
import { FORKS_FILE, forkFile } from '../../../core/published-forks.ts';
import { startChild } from '../crash/child-service.ts';
import { startTestChain, type TestChain } from '../support/chain.ts';
import { serviceOptions, startTestService, temporaryFolder } from '../support/service.ts';
import { Vehicle } from '../support/vehicle.ts';

const vehicle = new Vehicle(1);
const folder = temporaryFolder();
const data = join(folder.path, 'data');
const statement = vehicle.statement(0);
const others = [1, 2].map((n) => vehicle.statement(0, { root: sha256(Uint8Array.of(n)) }));
let chain: TestChain;
let service: RunningAnchorService;

async function start(publish?: { readonly forks: boolean }): Promise<void> {
  service = await startTestService(options(publish));
}

function options(publish?: { readonly forks: boolean }): AnchorServiceOptions {
  return serviceOptions(data, [vehicle], {
    chain: { rpc: [chain.url], class: 'local', poll_ms: 50 },
    ...(publish === undefined ? {} : { publish }),
  });
}

async function publishedIndex(): Promise<Response> {
  for (;;) {
    const response = await published(FORKS_FILE);
    if (response.status === 200) return response;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

beforeAll(async () => {
  chain = await startTestChain();
  await start();
  await vehicle.connect(service.mqttUrl);
  await vehicle.sendSession();
  await vehicle.send('statement', statement.bytes);
  await vehicle.acceptance(statement);
  for (const other of others) {
    await vehicle.send('statement', other.bytes);
    expect((await vehicle.refusal(other.id)).code).toBe('STATEMENT_FORK');
  }
  await vehicle.disconnect();
}, 120_000);
afterAll(async () => {
  await service.stop();
  await chain.stop();
  folder.remove();
});

async function published(name: string): Promise<Response> {
  return await fetch(`${service.httpUrl}/v1/published/${name}`);
}

type Ran = { readonly status: number; readonly out: string };

async function ran(command: typeof forks, ...args: readonly string[]): Promise<Ran> {
  let out = '';
  const sink = {
    write: (text: string | Uint8Array) => {
      out += String(text);
    },
  };
  return { status: await command(args, { stdout: sink, stderr: sink }), out };
}

function trustFile(): string {
  const path = join(folder.path, 'trust.json');
  const { algorithm, bytes } = vehicle.device.key;
  writeFileSync(
    path,
    JSON.stringify({
      'witnessmark-trust': 0,
      suppliedBy: 'a test',
      deviceKeys: [{ algorithm, key: toHex(bytes) }],
      chains: [],
      timestampAuthorities: [],
      required: ['BUNDLE', 'FORK'],
    }),
  );
  return path;
}

test('an operator gets a fork proof out of the store of a running service, and anybody can verify it', {
  timeout: 60_000,
}, async () => {
  const id = toHex(statement.id);
  const list = await ran(forks, '--data', data, '--json');
  // Two more statements for one place prove no more than one.
  expect(
    list.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object),
  ).toEqual([{ statement: id, tag: toHex(vehicle.tag), epoch: 1, log: 0, seq: 0 }]);
  expect((await ran(forks, '--data', data)).out).toContain(`${id}  vehicle ${toHex(vehicle.tag)}`);
  const out = join(folder.path, 'fork.wmk');
  expect((await ran(forks, '--data', data, '--statement', id, '--out', out)).status).toBe(0);
  const verdict = await ran(verify, out, '--trust', trustFile());
  expect(verdict.status).toBe(1);
  expect(verdict.out).toMatch(/FAILED +\* FORK +FORK_PROVEN.*two statements 0\/0/);
  const again = ran(forks, '--data', data, '--statement', id, '--out', out);
  await expect(again).rejects.toMatchObject({ code: 'OUTPUT' });
});

test.each([
  [
    'of a statement without one',
    ['--data', data, '--statement', '00', '--out', 'x'],
    'FORK_UNKNOWN',
  ],
  ['of a folder without a store', ['--data', join(folder.path, 'nothing')], 'STORE_MISSING'],
  ['of which nobody says where it should go', ['--data', data, '--statement', '00'], 'ARGUMENTS'],
])('no proof %s', async (_, args, code) => {
  await expect(ran(forks, ...args)).rejects.toMatchObject({ code });
});

test('nothing that names a vehicle is published unless the operator wants it', {
  timeout: 120_000,
}, async () => {
  expect((await published(FORKS_FILE)).status).toBe(404);
  await service.stop();
  await start({ forks: true });
  const response = await publishedIndex();
  expect(response.headers.get('cache-control')).toBe('no-cache');
  expect(await response.json()).toMatchObject({
    format: 'witnessmark-forks/0',
    forks: 1,
    recent: [{ statement: toHex(statement.id), tag: toHex(vehicle.tag), log: 0, seq: 0 }],
  });
  const proof = await published(forkFile(statement.id));
  expect(proof.headers.get('cache-control')).toContain('immutable');
  expect(Buffer.from(await proof.arrayBuffer())).toEqual(
    readFileSync(join(folder.path, 'fork.wmk')),
  );
  expect((await published(forkFile(new Uint8Array(32)))).status).toBe(404);

  await service.stop();
  // Also where a web server of the operator's own serves the folder.
  await start();
  expect((await published(forkFile(statement.id))).status).toBe(404);
  while (existsSync(join(data, 'published', 'forks'))) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});

test.each(['fork-written', 'fork-index-written'] as const)(
  'killed at %s, the next start publishes the same proof under the same name',
  { timeout: 120_000 },
  async (point) => {
    await service.stop();
    rmSync(join(data, 'published', 'forks'), { recursive: true, force: true });
    expect(await startChild(options({ forks: true }), { point }).ended).toBe('SIGKILL');
    await start({ forks: true });
    const index = (await (await publishedIndex()).json()) as { recent: readonly unknown[] };
    expect(index.recent.length).toBe(1);
    const proof = await published(forkFile(statement.id));
    expect(Buffer.from(await proof.arrayBuffer())).toEqual(
      readFileSync(join(folder.path, 'fork.wmk')),
    );
  },
);
