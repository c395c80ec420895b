import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunningAnchorService } from '../../../anchor-service/main.ts';
import { toHex } from '../../../core/bytes.ts';
import { verifyEvmAnchor } from '../../../core/evm/anchor-proof.ts';
import { verifyHeaderLink } from '../../../core/evm/header-link.ts';
import { decodeHeaderLink } from '../../../core/evm/header-link-record.ts';
import { decodeNewest, NEWEST_FILE, windowFile } from '../../../core/published.ts';
import { decodeAnchoredWindow } from '../../../core/receipt.ts';
import { decodeWindowRecord, windowRecordHash, windowTree } from '../../../core/window.ts';
import { until } from '../../chaos/trial.ts';
import { startTestChain, type TestChain } from '../support/chain.ts';
import { serviceOptions, startTestService, temporaryFolder } from '../support/service.ts';
import { Vehicle } from '../support/vehicle.ts';

const vehicle = new Vehicle(1);
const folder = temporaryFolder();
const published = join(folder.path, 'published');
let chain: TestChain;
let service: RunningAnchorService;

beforeAll(async () => {
  chain = await startTestChain(['--block-time', '0.2']);
  await start();
  for (const seq of [0, 1]) await anchor(seq);
});
afterAll(async () => {
  await vehicle.disconnect();
  await service.stop();
  await chain.stop();
  folder.remove();
});

async function start(): Promise<void> {
  const change = { chain: { rpc: [chain.url], class: 'local' as const, poll_ms: 50 } };
  service = await startTestService(serviceOptions(folder.path, [vehicle], change));
  await vehicle.connect(service.mqttUrl);
  await vehicle.sendSession();
}

async function anchor(seq: number): Promise<void> {
  const statement = vehicle.statement(seq);
  await vehicle.send('statement', statement.bytes);
  await vehicle.receipt(statement);
}

async function restart(between: () => void): Promise<void> {
  await vehicle.disconnect();
  await service.stop();
  between();
  await start();
}

async function newest(windows: number) {
  for (;;) {
    const response = await fetch(`${service.httpUrl}/v1/published/${NEWEST_FILE}`);
    if (response.ok) {
      const index = decodeNewest(await response.text());
      if (index.windows >= windows) return index;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function bytesOf(name: string): Promise<Uint8Array> {
  const response = await fetch(`${service.httpUrl}/v1/published/${name}`);
  expect(response.status).toBe(200);
  expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
  return new Uint8Array(await response.arrayBuffer());
}

test('a published window is checked from its files alone, and the folder holds the bytes that are served', {
  timeout: 60_000,
}, async () => {
  const index = await newest(2);
  expect(toHex(index.publisher)).toBe(toHex(service.publisher));
  let before = new Uint8Array(32);
  for (const window of index.recent) {
    const anchored = decodeAnchoredWindow(await bytesOf(windowFile(window, 'anchored')));
    const record = decodeWindowRecord(anchored.record);
    const hash = windowRecordHash(anchored.record);
    expect(toHex(hash)).toBe(toHex(window.recordHash));
    expect(toHex(record.previousHash)).toBe(toHex(before));
    before = Uint8Array.from(hash);
    const list = await bytesOf(windowFile(window, 'entries'));
    expect(list.length).toBe(64 * window.treeSize);
    const entries = Array.from({ length: window.treeSize }, (_, i) =>
      list.slice(64 * i, 64 * (i + 1)),
    );
    expect(toHex(windowTree(entries).root())).toBe(toHex(record.root));
    const [proof] = anchored.anchors;
    if (proof === undefined) throw new Error('expected an anchor');
    const { block } = verifyEvmAnchor(record, hash, proof);
    const link = decodeHeaderLink(await bytesOf(windowFile(window, 'link')));
    expect(toHex(verifyHeaderLink(link).newest.hash)).toBe(toHex(block.hash));
    expect(new Uint8Array(readFileSync(join(published, windowFile(window, 'entries'))))).toEqual(
      list,
    );
    const described = JSON.parse(
      new TextDecoder().decode(await bytesOf(windowFile(window, 'json'))),
    ) as { seq: number; record: string };
    expect(described).toMatchObject({ seq: window.seq, record: toHex(anchored.record) });
  }
});

test('a folder that lost files, or all of them, has them again after a restart; what it has is not touched', {
  timeout: 120_000,
}, async () => {
  const index = await newest(2);
  const [first] = index.recent;
  if (first === undefined) throw new Error('expected a window');
  const names = () =>
    readdirSync(published, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.\w+$/.test(name))
      .sort();
  const complete = names();
  await restart(() => rmSync(join(published, windowFile(first, 'entries'))));
  await anchor(2);
  await newest(3);
  expect(names()).toEqual(expect.arrayContaining(complete));
  await restart(() => {
    rmSync(published, { recursive: true });
    // What a kill between writing and renaming leaves.
    mkdirSync(join(published, 'windows'), { recursive: true });
    writeFileSync(join(published, `${windowFile(first, 'entries')}.part`), 'half');
  });
  expect((await newest(3)).windows).toBe(3);
  expect(names()).toEqual(expect.arrayContaining(complete));
  expect(names().some((name) => name.endsWith('.part'))).toBe(false);
});

test('a file that is lost while the service runs is there again after somebody asked for it', {
  timeout: 60_000,
}, async () => {
  const [first] = (await newest(3)).recent;
  if (first === undefined) throw new Error('expected a window');
  const name = windowFile(first, 'link');
  const before = await bytesOf(name);
  rmSync(join(published, name));
  expect((await fetch(`${service.httpUrl}/v1/published/${name}`)).status).toBe(404);
  await until(async () => (await fetch(`${service.httpUrl}/v1/published/${name}`)).ok);
  expect(await bytesOf(name)).toEqual(before);
});

test('a folder that cannot be written is a problem that passes, and no window counts as PUBLISHED before', {
  timeout: 120_000,
}, async () => {
  await newest(3);
  await restart(() => {
    rmSync(published, { recursive: true });
    writeFileSync(published, 'in the way');
  });
  const readiness = async () => {
    const response = await fetch(`${service.httpUrl}/readyz`);
    return {
      status: response.status,
      body: (await response.json()) as { problems: { code: string }[] },
    };
  };
  for (;;) {
    const { status, body } = await readiness();
    if (body.problems.some(({ code }) => code === 'PUBLISH_UNWRITABLE')) {
      expect(status).toBe(503);
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  // Receipts do not wait for the folder.
  await anchor(3);
  rmSync(published);
  expect((await newest(4)).windows).toBe(4);
  while ((await readiness()).status !== 200) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});
