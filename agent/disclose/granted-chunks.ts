/**
 * Which chunks lie in the range of a grant: those whose wall start does, recovered ones likewise.
 * Implements spec/grant.md, "Bytes".
 */
import { equalBytes } from '../../core/bytes.ts';
import { type ChunkHeader, decodeChunkHeader } from '../../core/chunk-header.ts';
import type { Archive } from '../ports.ts';

/** Headers that are looked at in one go. */
const PAGE = 4096;

export type GrantedRange = {
  readonly tag: Uint8Array;
  readonly epoch: number;
  /** ns since 1970: [fromNs, toNs). */
  readonly fromNs: bigint;
  readonly toNs: bigint;
};

/** Of one log with chunks in range. */
export type GrantedLog = {
  readonly log: number;
  /** Seqs of those in range, ascending, at least one. A clock that was set leaves others between. */
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
    return inRange.length === 0 ? [] : [{ log, inRange, stepped }];
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
