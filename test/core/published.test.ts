import { describe, expect, test } from 'vitest';
import {
  decodeNewest,
  decodePage,
  encodeNewest,
  encodePage,
  isPublishedPath,
  PAGE_WINDOWS,
  pageFile,
  pageOfFile,
  WINDOW_PARTS,
  windowFile,
  windowOfFile,
} from '../../core/published.ts';
import {
  decodeForkCount,
  encodeForkPage,
  encodeForks,
  FORKS_FILE,
  forkFile,
  forkPageFile,
} from '../../core/published-forks.ts';

const window = (seq: number) => ({
  seq,
  recordHash: new Uint8Array(32).fill(seq),
  treeSize: 1 + seq,
});
const log = {
  chainId: 2n ** 63n,
  contract: new Uint8Array(20).fill(1),
  publisher: new Uint8Array(20),
};
const page = Array.from({ length: PAGE_WINDOWS }, (_, i) => window(PAGE_WINDOWS + i));
const newest = {
  ...log,
  windows: PAGE_WINDOWS + 2,
  recent: [window(PAGE_WINDOWS), window(PAGE_WINDOWS + 1)],
};

function codeOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
  return undefined;
}

test('an index comes back as it was', () => {
  expect(decodePage(encodePage(page), 1)).toEqual(page);
  expect(decodeNewest(encodeNewest(newest))).toEqual(newest);
});

describe('an index is refused', () => {
  const changed = (change: (value: Record<string, unknown>) => void): string => {
    const value = JSON.parse(encodeNewest(newest)) as Record<string, unknown>;
    change(value);
    return JSON.stringify(value);
  };
  test.each([
    ['that is no JSON', '{'],
    ['of another format', changed((value) => Object.assign(value, { format: 'x' }))],
    [
      'with a window missing behind the pages',
      changed((value) => Object.assign(value, { windows: PAGE_WINDOWS + 3 })),
    ],
    ['with windows out of order', changed((value) => (value['recent'] as unknown[]).reverse())],
    [
      'with a hash that is too short',
      changed((value) =>
        Object.assign((value['recent'] as object[])[0] ?? {}, { recordHash: '00' }),
      ),
    ],
    [
      'with an empty window',
      changed((value) => Object.assign((value['recent'] as object[])[0] ?? {}, { treeSize: 0 })),
    ],
    ['with other pages', changed((value) => Object.assign(value, { pageWindows: 10 }))],
    [
      'of a publisher that is no address',
      changed((value) => Object.assign(value, { publisher: '0x00' })),
    ],
    ['of a chain that is no number', changed((value) => Object.assign(value, { chainId: 1 }))],
  ])('%s', (_, text) => {
    expect(codeOf(() => decodeNewest(text))).toBe('PUBLISHED_INDEX');
  });

  test('page that is not full, or another page', () => {
    expect(codeOf(() => decodePage(encodePage(page.slice(1)), 1))).toBe('PUBLISHED_INDEX');
    expect(codeOf(() => decodePage(encodePage(page), 2))).toBe('PUBLISHED_INDEX');
  });
});

test('every file of the folder has a name of its own kind, and nothing else has', () => {
  const names = [
    'newest.json',
    pageFile(7),
    ...WINDOW_PARTS.map((part) => windowFile(window(3), part)),
    FORKS_FILE,
    forkFile(new Uint8Array(32)),
    forkPageFile(12),
  ];
  expect(names.filter((name) => !isPublishedPath(name))).toEqual([]);
  const others = [
    '',
    '../x',
    'index/01.json',
    'index/1.json/',
    'windows/1-00.json',
    'forks/index/01.json',
    'forks/00.wmk',
    'newest.json\0',
    `${names[2]}.part`,
  ];
  expect(others.filter(isPublishedPath)).toEqual([]);
  const { seq, recordHash } = window(3);
  expect(names.map(windowOfFile).filter((named) => named !== undefined)).toEqual(
    WINDOW_PARTS.map(() => ({ seq, recordHash })),
  );
  expect(names.map(pageOfFile).filter((named) => named !== undefined)).toEqual([7]);
});

test('an index of fork proofs says how many there are, and nothing else passes for one', () => {
  expect(decodeForkCount(encodeForks(7, []))).toBe(7);
  for (const text of ['{', 'null', encodeForkPage([]), encodeNewest(newest), encodeForks(-1, [])]) {
    expect(
      codeOf(() => decodeForkCount(text)),
      text,
    ).toBe('PUBLISHED_INDEX');
  }
});
