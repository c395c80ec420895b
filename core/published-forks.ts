/**
 * Fork proofs beside the published windows: names of their files and their index, for who writes them and who reads them.
 * Implements spec/published-windows.md, "Fork proofs". All but the newest index never change.
 */
import { toHex } from './bytes.ts';
import { FormatError } from './errors.ts';
import type { Statement } from './statement.ts';

/** How many fork proofs there are; only where the service publishes them. */
export const FORKS_FILE = 'forks/index.json';
/** Proofs of one index page. */
export const PAGE_FORKS = 100;

const FORMAT = 'witnessmark-forks/0';

export type ListedFork = Pick<Statement, 'tag' | 'deviceKeyId' | 'epoch' | 'log' | 'seq'> & {
  /** Of the statement that stands at the place of the fork. */
  readonly statementId: Uint8Array;
};

export function forkFile(statementId: Uint8Array): string {
  return `forks/${toHex(statementId)}.wmk`;
}

/** @param page 0 holds those that were published first */
export function forkPageFile(page: number): string {
  return `forks/index/${page}.json`;
}

/** Whether a path could be a file here, all of which name a vehicle. */
export function isForkPath(path: string): boolean {
  return (
    path === FORKS_FILE ||
    /^forks\/index\/(0|[1-9]\d{0,12})\.json$/.test(path) ||
    /^forks\/[0-9a-f]{64}\.wmk$/.test(path)
  );
}

export function encodeForkPage(forks: readonly ListedFork[]): string {
  return `${JSON.stringify({ format: FORMAT, forks: forks.map(toJson) })}\n`;
}

/** @param forks how many there are @param recent those behind the last full page */
export function encodeForks(forks: number, recent: readonly ListedFork[]): string {
  const index = { format: FORMAT, forks, pageForks: PAGE_FORKS, recent: recent.map(toJson) };
  return `${JSON.stringify(index)}\n`;
}

/** @returns how many proofs an index says that there are. @throws FormatError PUBLISHED_INDEX */
export function decodeForkCount(text: string): number {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new FormatError('PUBLISHED_INDEX', 'expected an index of fork proofs, got no JSON', {
      cause,
    });
  }
  const { format, forks, pageForks } = (value ?? {}) as Record<string, unknown>;
  const isCount = typeof forks === 'number' && Number.isSafeInteger(forks) && forks >= 0;
  if (format === FORMAT && pageForks === PAGE_FORKS && isCount) return forks;
  throw new FormatError(
    'PUBLISHED_INDEX',
    `expected an index of format ${FORMAT}, with a number of fork proofs in pages of ${PAGE_FORKS}`,
  );
}

function toJson({ statementId, tag, deviceKeyId, epoch, log, seq }: ListedFork): object {
  return {
    ...{ statement: toHex(statementId), tag: toHex(tag), deviceKeyId: toHex(deviceKeyId) },
    ...{ epoch, log, seq },
  };
}
