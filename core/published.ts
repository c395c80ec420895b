/**
 * The folder of published windows: names of its files and the two kinds of index, for who writes them and who reads them.
 * Implements spec/published-windows.md. All but the pointer to the newest window never change.
 */
import { equalBytes, fromHex, toHex } from './bytes.ts';
import { FormatError } from './errors.ts';
import { HASH_BYTES } from './merkle.ts';
import { isForkPath } from './published-forks.ts';
import { ADDRESS_BYTES, MAX_WINDOW_STATEMENTS } from './window.ts';

/** Windows of one index page. */
export const PAGE_WINDOWS = 100;
export const NEWEST_FILE = 'newest.json';
export const ENTRY_BYTES = 64;
export const MAX_INDEX_BYTES = 1 << 16;

const FORMAT = 'witnessmark-published/0';
const WINDOW_FILE = /^windows\/(0|[1-9]\d{0,14})-([0-9a-f]{64})\.(?:json|entries|anchored|link)$/;
const PAGE_FILE = /^index\/(0|[1-9]\d{0,12})\.json$/;

/** By the end of their names: the description, the entries one behind the other, and the two shared parts of a receipt. */
export const WINDOW_PARTS = ['json', 'entries', 'anchored', 'link'] as const;
export type WindowPart = (typeof WINDOW_PARTS)[number];

export type IndexedWindow = {
  readonly seq: number;
  /** SHA-256 of the window record. */
  readonly recordHash: Uint8Array;
  readonly treeSize: number;
};

/** Which log of windows this is, and what stands in no full page yet. */
export type NewestIndex = {
  readonly chainId: bigint;
  readonly contract: Uint8Array;
  readonly publisher: Uint8Array;
  /** How many windows are published: seqs from 0 on, without holes. */
  readonly windows: number;
  /** Those behind the last full page, ascending. */
  readonly recent: readonly IndexedWindow[];
};

export function windowFile(
  window: Pick<IndexedWindow, 'seq' | 'recordHash'>,
  part: WindowPart,
): string {
  return `windows/${window.seq}-${toHex(window.recordHash)}.${part}`;
}

/** @param page 0 holds the windows from 0 on */
export function pageFile(page: number): string {
  return `index/${page}.json`;
}

/** @returns which window a path names a file of; undefined: of none */
export function windowOfFile(path: string): Pick<IndexedWindow, 'seq' | 'recordHash'> | undefined {
  const [, seq, hash] = WINDOW_FILE.exec(path) ?? [];
  return hash === undefined ? undefined : { seq: Number(seq), recordHash: fromHex(hash) };
}

/** @returns which index page a path names; undefined: none */
export function pageOfFile(path: string): number | undefined {
  const page = PAGE_FILE.exec(path)?.[1];
  return page === undefined ? undefined : Number(page);
}

/** Whether a path could name a file of such a folder: it has no other characters, so it leads nowhere else. */
export function isPublishedPath(path: string): boolean {
  return path === NEWEST_FILE || PAGE_FILE.test(path) || isForkPath(path) || WINDOW_FILE.test(path);
}

export function encodePage(windows: readonly IndexedWindow[]): string {
  return `${JSON.stringify({ format: FORMAT, windows: windows.map(toJson) })}\n`;
}

export function encodeNewest(index: NewestIndex): string {
  const { chainId, contract, publisher, windows, recent } = index;
  return `${JSON.stringify({
    format: FORMAT,
    chainId: `${chainId}`,
    contract: `0x${toHex(contract)}`,
    publisher: `0x${toHex(publisher)}`,
    windows,
    pageWindows: PAGE_WINDOWS,
    recent: recent.map(toJson),
  })}\n`;
}

function toJson({ seq, recordHash, treeSize }: IndexedWindow): object {
  return { seq, recordHash: toHex(recordHash), treeSize };
}

/** @throws FormatError PUBLISHED_INDEX */
export function decodePage(text: string, page: number): readonly IndexedWindow[] {
  const { windows } = readObject(text);
  const list = readWindows(windows, page * PAGE_WINDOWS);
  if (list.length !== PAGE_WINDOWS) throw malformed(`a page of ${PAGE_WINDOWS} windows`);
  return list;
}

/** @throws FormatError PUBLISHED_INDEX */
export function decodeNewest(text: string): NewestIndex {
  const value = readObject(text);
  const { chainId, windows, pageWindows } = value;
  if (typeof chainId !== 'string' || !/^\d{1,20}$/.test(chainId)) throw malformed('a chain id');
  if (!isCount(windows) || pageWindows !== PAGE_WINDOWS) {
    throw malformed(`a number of windows, in pages of ${PAGE_WINDOWS}`);
  }
  const recent = readWindows(value['recent'], windows - (windows % PAGE_WINDOWS));
  if (recent.length !== windows % PAGE_WINDOWS) throw malformed('every window behind the pages');
  return {
    chainId: BigInt(chainId),
    contract: readAddress(value['contract']),
    publisher: readAddress(value['publisher']),
    windows,
    recent,
  };
}

/** Whether two indexes are of one publisher's log. */
export function isSameLog(
  a: Pick<NewestIndex, 'chainId' | 'contract' | 'publisher'>,
  b: Pick<NewestIndex, 'chainId' | 'contract' | 'publisher'>,
): boolean {
  return (
    a.chainId === b.chainId &&
    equalBytes(a.contract, b.contract) &&
    equalBytes(a.publisher, b.publisher)
  );
}

function readObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new FormatError(
      'PUBLISHED_INDEX',
      'expected an index of published windows, got no JSON',
      {
        cause,
      },
    );
  }
  const isIndex =
    typeof value === 'object' &&
    value !== null &&
    (value as { format?: unknown }).format === FORMAT;
  if (!isIndex) throw malformed(`an index of format ${FORMAT}`);
  return value as Record<string, unknown>;
}

function readWindows(value: unknown, firstSeq: number): readonly IndexedWindow[] {
  if (!Array.isArray(value) || value.length > PAGE_WINDOWS) {
    throw malformed(`a list of at most ${PAGE_WINDOWS} windows`);
  }
  return value.map((item: unknown, i) => {
    const { seq, recordHash, treeSize } = (item ?? {}) as Record<string, unknown>;
    if (seq !== firstSeq + i) throw malformed(`window ${firstSeq + i} in its place`);
    if (typeof recordHash !== 'string' || !/^[0-9a-f]{64}$/.test(recordHash)) {
      throw malformed(`a record hash of ${HASH_BYTES} bytes for window ${seq}`);
    }
    if (!isCount(treeSize) || treeSize === 0 || treeSize > MAX_WINDOW_STATEMENTS) {
      throw malformed(`a tree size for window ${seq}`);
    }
    return { seq, recordHash: fromHex(recordHash), treeSize };
  });
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function readAddress(value: unknown): Uint8Array {
  if (typeof value !== 'string' || !/^0x[0-9a-f]{40}$/.test(value)) {
    throw malformed(`an address of ${ADDRESS_BYTES} bytes`);
  }
  return fromHex(value);
}

function malformed(expected: string): FormatError {
  return new FormatError('PUBLISHED_INDEX', `expected ${expected} in an index of windows`);
}
