/** A recording as a live capture brings it, a block's worth at each take, by a clock that is the recording's. */
import type { CaptureBlock, CaptureSource, ClockReading } from '../../agent/ports.ts';
import type { FrameBlock } from '../../core/frame.ts';
import type { Recording } from './looped-source.ts';

/** Frames of one take, and how far the recording's time is behind them. */
type Portion = { readonly frames: FrameBlock; readonly endNs: bigint };

/** What `blockMs` of a recording hold, in copies of their own. */
export function portionsOf(recording: Recording, blockMs: number): readonly Portion[] {
  const portions: Portion[] = [];
  const blockNs = blockMs * 1e6;
  for (const block of recording.blocks) {
    for (let from = 0; from < block.count; ) {
      const end = (Math.floor((block.offsetNs[from] ?? 0) / blockNs) + 1) * blockNs;
      let to = from + 1;
      while (to < block.count && (block.offsetNs[to] ?? 0) < end) to += 1;
      portions.push({ frames: slice(block, from, to), endNs: block.baseNs + BigInt(end) });
      from = to;
    }
  }
  return portions;
}

function slice(block: FrameBlock, from: number, to: number): FrameBlock {
  const dataStart = block.dataAt[from] ?? 0;
  return {
    baseNs: block.baseNs,
    count: to - from,
    offsetNs: block.offsetNs.slice(from, to),
    bus: block.bus.slice(from, to),
    id: block.id.slice(from, to),
    flags: block.flags.slice(from, to),
    length: block.length.slice(from, to),
    rawDlc: block.rawDlc.slice(from, to),
    dataAt: block.dataAt.slice(from, to).map((at) => at - dataStart),
    data: block.data.slice(dataStart, block.dataAt[to] ?? block.data.length),
    cursor: new Uint32Array(to - from),
  };
}

/** @param onEnd when everything was taken */
export function loopedCapture(
  recording: Recording,
  portions: readonly Portion[],
  times: number,
  onEnd: () => void,
): CaptureSource {
  const [firstPortion] = portions;
  if (firstPortion === undefined) throw new RangeError('an empty recording');
  const nothing = slice(firstPortion.frames, 0, 0);
  let next = 0;
  let now = clockAt(firstPortion.endNs - 1_000_000_000n);
  const take = (): CaptureBlock => {
    const portion = portions[next % portions.length];
    const round = Math.floor(next / portions.length);
    const isOver = round >= times || portion === undefined;
    const shift = BigInt(round) * recording.spanNs;
    if (!isOver) {
      next += 1;
      now = clockAt(portion.endNs + shift);
    }
    const { frames } = isOver ? { frames: nothing } : portion;
    const block = { ...frames, baseNs: frames.baseNs + shift };
    return { ...block, losses: [], links: [], clock: now, isFull: false };
  };
  return {
    buses: recording.buses.map((bus) => ({
      bus,
      source: 'synthetic',
      lossAccounting: 'not_applicable',
      stampSource: 'log',
      access: 'not_applicable',
    })),
    take,
    wait: () => {
      if (next >= times * portions.length) onEnd();
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
}

function clockAt(ns: bigint): ClockReading {
  return { monoNs: ns, wallNs: ns, bootNs: ns };
}
