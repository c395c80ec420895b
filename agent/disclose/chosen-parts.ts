/**
 * What a package shows of the logs: headers from the first chunk in range to the last, and around the records of the grant's
 * custody; and of which streams in which chunks it has leaves. Implements spec/package.md, "Frame".
 */
import { UserError } from '../../core/errors.ts';
import { MAX_ITEMS } from '../../core/sections.ts';
import type { Archive } from '../ports.ts';
import { type CustodyStretch, custodyStretches } from './grant-custody.ts';
import type { GrantedLog, GrantedRange } from './granted-chunks.ts';
import type { ChosenLog } from './sealed-sections.ts';
import { joinedRanges, type SeqRange } from './seq-ranges.ts';

type ChosenParts = {
  /** Ascending by log and seq; what lies between two is not shown. */
  readonly parts: readonly (ChosenLog & { readonly log: number })[];
  readonly custody: readonly CustodyStretch[];
};

/**
 * @param custody name of the grant's custody stream
 * @throws UserError DISCLOSE_TOO_LARGE, KEY_FILE_*; OperationalError STORAGE_*, SPOOL_*
 */
export function chosenParts(
  archive: Archive,
  order: Pick<GrantedRange, 'tag' | 'epoch'> & { readonly custody: string },
  logs: readonly GrantedLog[],
): ChosenParts {
  const ranges = logs.map(({ log, inRange }): SeqRange => {
    const first = inRange[0] ?? 0;
    return { log, first, last: inRange.at(-1) ?? first };
  });
  assertFits(ranges);
  const isAnchored = ranges.every((range) => areAnchored(archive, range));
  const custody = custodyStretches(archive, order, order.custody, isAnchored);
  const all = joinedRanges([
    ...ranges,
    ...custody.map(({ log, firstSeq, seq }) => ({ log, first: firstSeq, last: seq })),
  ]);
  assertFits(all);
  const parts = all.map(({ log, first, last }) => {
    const chunks = archive.chunks(log, first, last);
    // Not those that were first seen later.
    const streams = archive.streams(log).slice(0, chunks.at(-1)?.announced);
    return { log, chunks, streams };
  });
  return { parts, custody };
}

function assertFits(ranges: readonly SeqRange[]): void {
  const chunks = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  if (chunks > MAX_ITEMS) throw tooLarge(`${chunks} chunks`);
}

export function tooLarge(size: string): UserError {
  const message = `ask period by period: this range has ${size}, and a package ${MAX_ITEMS} chunks at most`;
  return new UserError('DISCLOSE_TOO_LARGE', message);
}

/** Whether every chunk has its receipt. What waits for a statement is the newest. */
function areAnchored(archive: Archive, { log, first, last }: SeqRange): boolean {
  const [newest] = archive.chunks(log, last, last);
  const statements = archive.statementsOver(log, first, last);
  return (
    newest?.statement !== undefined && statements.every(({ inclusion }) => inclusion !== undefined)
  );
}

export type WantedNames = (log: number, seq: number) => ReadonlySet<string>;

/** Of which streams a chunk's leaves are released: in range the granted ones, where the grant has records its own. */
export function wantedNames(
  { streams, custody: own }: { readonly streams: readonly string[]; readonly custody: string },
  logs: readonly Pick<GrantedLog, 'log' | 'inRange'>[],
  custody: readonly Pick<CustodyStretch, 'log' | 'seq'>[],
): WantedNames {
  const [none, granted] = [new Set<string>(), new Set(streams)];
  const [recordsOnly, both] = [new Set([own]), new Set([...streams, own])];
  const inRange = new Map(logs.map(({ log, inRange: seqs }) => [log, new Set(seqs)]));
  const withRecords = new Set(custody.map(({ log, seq }) => `${log}/${seq}`));
  return (log, seq) => {
    const isInRange = inRange.get(log)?.has(seq) === true;
    if (!withRecords.has(`${log}/${seq}`)) return isInRange ? granted : none;
    return isInRange ? both : recordsOnly;
  };
}
