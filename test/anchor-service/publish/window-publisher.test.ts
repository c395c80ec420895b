import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { PublishStore } from '../../../anchor-service/ports.ts';
import { WindowPublisher } from '../../../anchor-service/publish/window-publisher.ts';
import type { Stores } from '../../../anchor-service/store/open-stores.ts';
import { sha256 } from '../../../core/hash.ts';
import {
  decodeNewest,
  decodePage,
  NEWEST_FILE,
  PAGE_WINDOWS,
  pageFile,
  windowFile,
} from '../../../core/published.ts';
import { Cleanup } from '../support/cleanup.ts';
import { leadingStores } from '../support/leading-stores.ts';
import { temporaryFolder } from '../support/service.ts';

const WINDOWS = PAGE_WINDOWS + 3;
const cleanup = new Cleanup();
afterEach(async () => await cleanup.run());

const identity = {
  ...{ chainId: 1n, contract: new Uint8Array(20), publisher: new Uint8Array(20), firstWindow: 0 },
};
let stores: Stores;
let folder: string;
let publisher: WindowPublisher;

beforeEach(async () => {
  const temporary = temporaryFolder();
  cleanup.add(() => temporary.remove());
  folder = join(temporary.path, 'published');
  const leading = leadingStores(temporary.path);
  cleanup.add(leading.close);
  stores = leading.stores;
  stores.transactions.signContract(0, attempt(0), identity);
  for (let seq = 0; seq < WINDOWS; seq += 1) makeFinal(seq);
  publisher = newPublisher();
  await publisher.step();
});

/** As one of another run: it knows nothing but what store and folder say. */
function newPublisher(store: PublishStore = stores.published): WindowPublisher {
  const clock = { nowMs: () => 0 };
  const atCommitPoint = (): void => undefined;
  return new WindowPublisher({ folder, store, identity, clock, atCommitPoint });
}

function attempt(n: number) {
  return {
    ...{ hash: sha256(Uint8Array.of(n)), raw: new Uint8Array(1), feeCap: 1n, tip: 1n },
    ...{ gasLimit: 1n, signedAtBlock: 0 },
  };
}

function name(seq: number) {
  return { seq, recordHash: sha256(Uint8Array.of(seq, 1)) };
}

function makeFinal(seq: number): void {
  const { windows, transactions } = stores;
  windows.seal({ seq, record: Uint8Array.of(seq), hash: name(seq).recordHash, treeSize: 1 }, 0);
  transactions.signWindow(seq, seq + 1, attempt(seq + 1));
  transactions.markSent(seq);
  transactions.markMined(seq, seq);
  transactions.markFinal(seq, {
    ...{ anchored: Uint8Array.of(2, seq), link: Uint8Array.of(3, seq), transaction: undefined },
    block: { number: seq, hash: sha256(Uint8Array.of(seq, 2)), timestampS: seq },
  });
}

function isThere(path: string): boolean {
  return existsSync(join(folder, path));
}

test('a lost file of long ago is written again when it is asked for, and no other is touched', async () => {
  const lost = windowFile(name(4), 'anchored');
  const other = join(folder, windowFile(name(5), 'anchored'));
  const before = statSync(other).ino;
  rmSync(join(folder, lost));
  publisher = newPublisher();
  await publisher.step();
  expect(publisher.noticeMissing(lost)).toBe(true);
  expect(publisher.noticeMissing(lost), 'told once').toBe(false);
  await publisher.step();
  expect([...readFileSync(join(folder, lost))]).toEqual([2, 4]);
  expect(statSync(other).ino).toBe(before);
});

test('so are a page and the index itself', async () => {
  const read = (path: string): string => readFileSync(join(folder, path), 'utf8');
  for (const path of [pageFile(0), NEWEST_FILE]) {
    rmSync(join(folder, path));
    expect(publisher.noticeMissing(path)).toBe(true);
    await publisher.step();
  }
  expect(decodePage(read(pageFile(0)), 0)).toHaveLength(PAGE_WINDOWS);
  expect(decodeNewest(read(NEWEST_FILE)).windows).toBe(WINDOWS);
});

test('nothing is written for what was never there', () => {
  const [here, notYet] = [name(4), name(WINDOWS)];
  for (const path of [
    windowFile(notYet, 'link'),
    windowFile({ ...here, recordHash: new Uint8Array(32) }, 'link'),
    // Not full: what stands behind the full ones is in the index.
    pageFile(1),
    'windows/x',
  ]) {
    expect(publisher.noticeMissing(path), path).toBe(false);
  }
});

test.each([
  ['a recent window', windowFile(name(WINDOWS - 1), 'link')],
  ['the index', NEWEST_FILE],
])('a start without the file of %s writes it', async (_, path) => {
  rmSync(join(folder, path));
  await newPublisher().step();
  expect(isThere(path)).toBe(true);
});

test('a store that cannot be read is no folder that cannot be written', async () => {
  makeFinal(WINDOWS);
  const broken = new Error('the store is damaged');
  const entries = (): never => {
    throw broken;
  };
  publisher = newPublisher({ ...stores.published, entries });
  await expect(publisher.step()).rejects.toBe(broken);
  await newPublisher().step();
  expect(isThere(windowFile(name(WINDOWS), 'entries'))).toBe(true);
});

test('a folder that was put back from a copy has what came after it', async () => {
  const copy = readFileSync(join(folder, NEWEST_FILE));
  makeFinal(WINDOWS);
  await publisher.step();
  rmSync(join(folder, windowFile(name(WINDOWS), 'entries')));
  writeFileSync(join(folder, NEWEST_FILE), copy);
  await newPublisher().step();
  expect(isThere(windowFile(name(WINDOWS), 'entries'))).toBe(true);
  expect(decodeNewest(readFileSync(join(folder, NEWEST_FILE), 'utf8')).windows).toBe(WINDOWS + 1);
});
