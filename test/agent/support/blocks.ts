/** Frames for the chunker, in blocks of any size. */

import { Chunker, type SessionBefore, type Slice } from '../../../agent/chunk/chunker.ts';
import type { SkippedLines, SourceBlock } from '../../../agent/ports.ts';
import type { Frame } from '../../../core/frame.ts';
import { type FrameBlock, frameAt } from '../../../core/frame.ts';
import { frameBlock } from '../../../core/frame-block-builder.ts';

export const NONE: SkippedLines = { count: 0, firstLine: 0, firstReason: '' };

/** A frame that arrived at this many milliseconds; `line` is its cursor. */
export function frameAtMs(ms: number, line: number, change: Partial<Frame> = {}): Frame {
  return {
    timeNs: BigInt(Math.round(ms * 1000)) * 1000n,
    bus: 0,
    id: 0x100 + (line % 3),
    flags: 0,
    length: 2,
    rawDlc: 0,
    data: Uint8Array.of(line & 255, line >> 8),
    cursor: line,
    ...change,
  };
}

/** One frame for each time, on lines 1, 2, 3 … */
export function framesAtMs(...times: readonly number[]): readonly Frame[] {
  return times.map((ms, i) => frameAtMs(ms, i + 1));
}

export type SkippedBefore = ReadonlyMap<number, SkippedLines>;

/**
 * Blocks of at most `size` frames; as a source does, a block ends before a frame that skipped lines precede,
 * and before one that lies more than 104 days from the first.
 * @param skipped by the index of the frame that they precede
 */
export function* blocksOf(
  frames: readonly Frame[],
  size: number,
  skipped: SkippedBefore = new Map(),
): Iterable<SourceBlock> {
  let start = 0;
  for (let i = 1; i <= frames.length; i++) {
    const [first, frame] = [frames[start], frames[i]];
    const fits =
      frame !== undefined &&
      first !== undefined &&
      Math.abs(Number(frame.timeNs - first.timeNs)) < 2 ** 53;
    if (fits && i - start < size && !skipped.has(i)) continue;
    yield { ...frameBlock(frames.slice(start, i)), skipped: skipped.get(start) ?? NONE };
    start = i;
  }
}

/** A slice that is kept: its frames are copied out of the borrowed buffer. */
export type KeptSlice = Omit<Slice, 'frames'> & { readonly frames: readonly Frame[] };

export function cut(
  blocks: Iterable<SourceBlock>,
  durationMs = 1000,
  atEnd: SkippedLines = NONE,
  before?: SessionBefore,
): readonly KeptSlice[] {
  const slices: KeptSlice[] = [];
  const keep = (slice: Slice): void => {
    slices.push({ ...slice, frames: framesOf(slice.frames) });
  };
  const chunker = new Chunker(durationMs, ['can0', 'can1'], keep, before);
  for (const block of blocks) chunker.push(block);
  chunker.end(atEnd);
  return slices;
}

function framesOf(block: FrameBlock): readonly Frame[] {
  return Array.from({ length: block.count }, (_, i) => {
    const frame = frameAt(block, i);
    return { ...frame, data: frame.data.slice() };
  });
}
