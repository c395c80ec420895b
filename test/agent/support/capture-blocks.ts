/** Capture blocks of a few frames, as a source would hand them out. */
import type { CaptureBlock, CaptureLoss, ClockReading, LinkEvent } from '../../../agent/ports.ts';
import { type Frame, frameDataLength } from '../../../core/frame.ts';
import { frameBlock } from '../../../core/frame-block-builder.ts';

export const START: ClockReading = {
  monoNs: 5_000_000_000n,
  wallNs: 1_795_000_000_000_000_000n,
  bootNs: 5_000_000_000n,
};

export const MS = 1_000_000n;

/** So many ms after the start, on all clocks. */
export function at(ms: number): ClockReading {
  const ns = BigInt(ms) * MS;
  return { monoNs: START.monoNs + ns, wallNs: START.wallNs + ns, bootNs: START.bootNs + ns };
}

export type FrameAt = {
  readonly ms: number;
  readonly bus?: number;
  readonly id?: number;
} & Partial<Pick<Frame, 'data' | 'timeNs'>>;

function frame({ ms, bus = 0, id = 0x123, data, timeNs }: FrameAt): Frame {
  const bytes = data ?? Uint8Array.of(ms & 255, 1, 2, 3);
  return {
    timeNs: timeNs ?? at(ms).wallNs,
    bus,
    id,
    flags: 0,
    length: frameDataLength(id, bytes.length),
    rawDlc: 0,
    data: bytes,
    cursor: 0,
  };
}

export function captureBlock(
  clock: ClockReading,
  frames: readonly FrameAt[] = [],
  more: {
    readonly losses?: readonly CaptureLoss[];
    readonly links?: readonly LinkEvent[];
    readonly isFull?: boolean;
  } = {},
): CaptureBlock {
  return {
    ...frameBlock(frames.map(frame)),
    clock,
    losses: more.losses ?? [],
    links: more.links ?? [],
    isFull: more.isFull ?? false,
  };
}
