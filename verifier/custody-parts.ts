/** The custody streams of an opened chunk (spec/verification.md, "CUSTODY"). */
import type { OpenedChunk } from '../core/bundle-items.ts';
import type { Leaf } from '../core/leaf.ts';
import { RECORDS } from '../core/stream.ts';
import type { ProvenChunk } from './opened-chunk.ts';

/** A custody stream in one opened chunk, all of its leaves there. */
export type CustodyPart = {
  readonly stream: string;
  readonly log: number;
  readonly seq: number;
  /** Those that are not silent. */
  readonly leaves: readonly Leaf[];
};

export function isCustodyStream(stream: string): boolean {
  return stream === RECORDS.custody || stream.startsWith(`${RECORDS.custody}/`);
}

/** The one kind of content that is kept: there is little of it, and a check reads it as a whole. */
export function custodyParts(
  { log, seq }: OpenedChunk,
  { parts, presence }: ProvenChunk,
): readonly CustodyPart[] {
  const byStream = new Map<string, Leaf[]>();
  // In a recovered chunk a stream is there as a whole when its presence leaf is, and one leaf in each block that it marks.
  for (const { stream } of presence?.leaves ?? []) byStream.set(stream, []);
  for (const leaf of parts.flatMap(({ leaves }) => leaves)) {
    const own = byStream.get(leaf.stream) ?? [];
    if (presence === undefined) byStream.set(leaf.stream, own);
    own.push(leaf);
  }
  const marked = new Map(presence?.leaves.map(({ stream, count }) => [stream, count]));
  return [...byStream].flatMap(([stream, leaves]) => {
    const isWhole = presence === undefined || marked.get(stream) === leaves.length;
    if (!isCustodyStream(stream) || !isWhole) return [];
    return [{ stream, log, seq, leaves: leaves.filter(({ count }) => count > 0) }];
  });
}
