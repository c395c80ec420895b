/** What a site lists over many pages and rounds, from a real web server into a real store. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { toHex } from '../../core/bytes.ts';
import { sha256 } from '../../core/hash.ts';
import {
  encodeNewest,
  encodePage,
  type IndexedWindow,
  PAGE_WINDOWS,
} from '../../core/published.ts';
import { openSeenStore, type SeenStore, type Word } from '../../monitor/seen-store.ts';
import { SiteIndex } from '../../monitor/site-index.ts';
import { Cleanup } from '../anchor-service/support/cleanup.ts';
import { temporaryFolder } from '../anchor-service/support/service.ts';
import { startSite } from './static-site.ts';

const LOG = {
  ...{ chainId: 1n, contract: new Uint8Array(20), publisher: new Uint8Array(20).fill(1) },
  codeHash: undefined,
};
const cleanup = new Cleanup();
let store: SeenStore;
let state: string;
let windows: IndexedWindow[];
let asked: string[];

beforeEach(() => {
  const folder = temporaryFolder();
  cleanup.add(() => folder.remove());
  state = folder.path;
  store = openSeenStore(state, 'a test', 0n);
  cleanup.add(() => store.close());
  windows = Array.from({ length: 350 }, (_, seq) => window(seq));
  asked = [];
});
afterEach(async () => await cleanup.run());

function window(seq: number, version = 0): IndexedWindow {
  return {
    seq,
    recordHash: sha256(Uint8Array.of(seq & 255, seq >> 8, version)),
    treeSize: seq + 1,
  };
}

async function site(list: () => readonly IndexedWindow[] = () => windows): Promise<SiteIndex> {
  const { url, close } = await startSite((name) => {
    asked.push(name);
    const all = list();
    const full = Math.floor(all.length / PAGE_WINDOWS);
    const page = /^index\/(\d+)\.json$/.exec(name)?.[1];
    if (page === undefined) {
      const recent = all.slice(full * PAGE_WINDOWS);
      return Promise.resolve(encodeNewest({ ...LOG, windows: all.length, recent }));
    }
    const first = Number(page) * PAGE_WINDOWS;
    return Promise.resolve(encodePage(all.slice(first, first + PAGE_WINDOWS)));
  });
  cleanup.add(async () => await close());
  return new SiteIndex(url, store);
}

/** A round. @returns what it contradicts, and how much was in hand at once */
async function round(index: SiteIndex): Promise<{ words: readonly Word[]; most: number }> {
  const words: Word[] = [];
  let most = 0;
  await index.read(LOG, (page) => {
    most = Math.max(most, page.length);
    words.push(...store.list(index.url, page));
  });
  return { words, most };
}

test('every page is read once and never held together with others; then one is read again in each round', async () => {
  const index = await site();
  expect(await round(index)).toEqual({ words: [], most: PAGE_WINDOWS });
  expect(asked).toEqual(['newest.json', 'index/0.json', 'index/1.json', 'index/2.json']);
  expect(index.windows).toBe(350);
  for (const seq of [0, 99, 100, 299, 349]) expect(index.window(seq)).toEqual(window(seq));
  expect(index.window(350)).toBeUndefined();
  asked = [];
  for (let i = 0; i < 3; i += 1) await round(index);
  expect(asked.filter((name) => name !== 'newest.json').toSorted()).toEqual([
    ...['index/0.json', 'index/1.json', 'index/2.json'],
  ]);
  windows.push(...Array.from({ length: 60 }, (_, i) => window(350 + i)));
  asked = [];
  await round(index);
  expect(asked).toContain('index/3.json');
  expect(index.window(409)).toEqual(window(409));
});

test('a page that changes is seen when it is read again, also by a monitor that was stopped meanwhile', async () => {
  const index = await site();
  await round(index);
  windows[150] = window(150, 1);
  const words: Word[] = [];
  for (let i = 0; i < 3; i += 1) words.push(...(await round(index)).words);
  expect(words.map(({ seq, site }) => [seq, site])).toEqual([[150, index.url]]);
  expect(toHex(words[0]?.hash ?? new Uint8Array())).toBe(toHex(window(150).recordHash));
  expect(index.window(150)).toEqual(window(150, 1));

  store.close();
  store = openSeenStore(state, 'a test', 0n);
  const reopened = new SiteIndex(index.url, store);
  expect((await round(reopened)).words.map(({ seq }) => seq)).toEqual([150]);
});

test('two sites that name different records are told apart, whichever was read first', async () => {
  const [one, other] = [await site(), await site(() => windows.with(7, window(7, 2)))];
  expect((await round(one)).words).toEqual([]);
  const [word, ...more] = (await round(other)).words;
  expect(more).toEqual([]);
  expect(word).toMatchObject({ seq: 7, site: one.url });
});

test('what a site lists no longer, or under an index of another log, is not listed', async () => {
  const index = await site();
  await round(index);
  windows.length = 120;
  await round(index);
  expect(index.window(119)).toEqual(window(119));
  expect(index.window(120)).toBeUndefined();
  const foreign = { ...LOG, chainId: 2n };
  const read = index.read(foreign, () => undefined);
  await expect(read).rejects.toMatchObject({ code: 'PUBLISHED_INDEX' });
  expect(index.window(0)).toBeUndefined();
});

test('what no event anchors is found in order, and not again once it is anchored', async () => {
  const index = await site();
  await round(index);
  const event = (seq: number) => ({
    ...{ seq, hash: window(seq).recordHash, blockNumber: seq, blockSeconds: seq },
  });
  const known = windows.filter(({ seq }) => seq !== 200 && seq < 340).map(({ seq }) => event(seq));
  store.takeEvents(known, 400n);
  store.markAnchored();
  expect(store.nextUnanchored(index.url, -1)).toBe(200);
  expect(store.nextUnanchored(index.url, 200)).toBe(340);
  store.takeEvents([event(200)], 401n);
  store.markAnchored();
  expect(store.nextUnanchored(index.url, -1)).toBe(340);
});
