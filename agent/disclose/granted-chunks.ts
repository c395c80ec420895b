/**
 * Which chunks lie in the range of a grant: those whose wall start does, recovered ones likewise.
 * Implements spec/grant.md, "Bytes".
 */
import { equalBytes } from '../../core/bytes.ts';
import { type ChunkHeader, decodeChunkHeader } from '../../core/chunk-header.ts';
import type { Archive } from '../ports.ts';
import type { ChosenLog } from './sealed-sections.ts';

/** Headers that are looked at in one go. */
const PAGE = 4096;

export type GrantedRange = {
  readonly tag: Uint8Array;
  readonly epoch: number;
  /** ns since 1970: [fromNs, toNs). */
  readonly fromNs: bigint;
  readonly toNs: bigint;
};

/** Of one log: the chunks from the first in range to the last, since no header between may be missing. */
export type GrantedLog = ChosenLog & {
  /** Seqs of those in range, ascending. A clock that was set leaves others between. */
  readonly inRange: readonly number[];
  /** Those among them in which the clock was set. */
  readonly stepped: readonly number[];
};

/** Every header of the logs is looked at: a clock may be set back, so no order of the times can be relied on. */
export function grantedLogs(archive: Archive, range: GrantedRange): readonly GrantedLog[] {
  const current = archive.identity()?.log ?? -1;
  const logs = Array.from({ length: current + 1 }, (_, log) => log);
  return logs.flatMap((log) => {
    const { inRange, stepped } = seqsInRange(archive, log, range);
    const [first, last] = [inRange[0], inRange.at(-1)];
    if (first === undefined || last === undefined) return [];
    const chunks = archive.chunks(log, first, last);
    // Not those that were first seen later.
    const streams = archive.streams(log).slice(0, chunks.at(-1)?.announced);
    return [{ chunks, streams, inRange, stepped }];
  });
}

function seqsInRange(
  archive: Archive,
  log: number,
  range: GrantedRange,
): Pick<GrantedLog, 'inRange' | 'stepped'> {
  const end = archive.lastChunk(log)?.seq ?? -1;
  const inRange: number[] = [];
  const stepped: number[] = [];
  for (let from = 0; from <= end; from += PAGE) {
    for (const { seq, header } of archive.chunks(log, from, Math.min(end, from + PAGE - 1))) {
      const read = decodeChunkHeader(header);
      if (!isInRange(read, range)) continue;
      inRange.push(seq);
      if (read.clock.steps > 0) stepped.push(seq);
    }
  }
  return { inRange, stepped };
}

export function isInRange(
  { tag, epoch, wallStartNs }: Pick<ChunkHeader, 'tag' | 'epoch' | 'wallStartNs'>,
  range: GrantedRange,
): boolean {
  // Of another owner's time no grant says anything.
  return (
    equalBytes(tag, range.tag) &&
    epoch === range.epoch &&
    wallStartNs >= range.fromNs &&
    wallStartNs < range.toNs
  );
}
