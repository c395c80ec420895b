/** A recording on several times as many buses: each copy begins elsewhere in it, and keeps its own order of arrival. */
import { type FrameBlock, frameData, frameTimeNs } from '../../core/frame.ts';
import type { Recording } from './looped-source.ts';

/** For each copy, so that blocks span what those of a recording by itself do. */
const BLOCK_FRAMES = 4096;
const NONE_SKIPPED = { count: 0, firstLine: 0, firstReason: '' };

/** A frame of a copy, and when it arrived, in ns from the start. */
type Arrival = {
  readonly block: FrameBlock;
  readonly row: number;
  readonly copy: number;
  readonly stampNs: number;
  readonly atNs: number;
};

/** @param copies of all buses; those of copy k are the ones behind those of copy k - 1 */
export function onMoreBuses(recording: Recording, copies: number): Recording {
  const { blocks, buses, spanNs, frames } = recording;
  const startNs = blocks[0]?.baseNs ?? 0n;
  const all = Array.from({ length: copies }, (_, copy) =>
    arrivalsOf(recording, copy, Math.floor((copy * frames) / copies)),
  )
    .flat()
    .sort((a, b) => a.atNs - b.atNs); // stable: frames of one copy stay as they came
  const merged: Recording['blocks'][number][] = [];
  const most = copies * BLOCK_FRAMES;
  for (let from = 0; from < all.length; from += most) {
    const block = blockOf(startNs, buses.length, all.slice(from, from + most));
    merged.push({ ...block, skipped: NONE_SKIPPED });
  }
  return {
    buses: Array.from({ length: copies * buses.length }, (_, i) => `can${i}`),
    blocks: merged,
    frames: copies * frames,
    spanNs,
  };
}

/** The recording from frame `first` on, and then what is before it. */
function arrivalsOf({ blocks, spanNs }: Recording, copy: number, first: number): Arrival[] {
  const startNs = blocks[0]?.baseNs ?? 0n;
  const rows = blocks.flatMap((block) =>
    Array.from({ length: block.count }, (_, row) => {
      return { block, row, stampNs: Number(frameTimeNs(block, row) - startNs) };
    }),
  );
  const turned = [
    ...rows.slice(first),
    ...rows.slice(0, first).map((of) => ({ ...of, stampNs: of.stampNs + Number(spanNs) })),
  ];
  const originNs = turned[0]?.stampNs ?? 0;
  let atNs = 0;
  return turned.map(({ block, row, stampNs }) => {
    // Where a stamp steps back, the frame still came behind the one before it.
    atNs = Math.max(atNs, stampNs - originNs);
    return { block, row, copy, stampNs: stampNs - originNs, atNs };
  });
}

function blockOf(startNs: bigint, busCount: number, arrivals: readonly Arrival[]): FrameBlock {
  const firstNs = arrivals[0]?.atNs ?? 0;
  const data = arrivals.map(({ block, row }) => frameData(block, row));
  let dataEnd = 0;
  const dataAt = Uint32Array.from(data, (bytes) => {
    dataEnd += bytes.length;
    return dataEnd - bytes.length;
  });
  const column = (of: 'id' | 'flags' | 'length' | 'rawDlc') =>
    arrivals.map(({ block, row }) => block[of][row] ?? 0);
  return {
    baseNs: startNs + BigInt(firstNs),
    count: arrivals.length,
    offsetNs: Float64Array.from(arrivals, ({ stampNs }) => stampNs - firstNs),
    bus: Uint8Array.from(arrivals, ({ block, row, copy }) => {
      return copy * busCount + (block.bus[row] ?? 0);
    }),
    id: Uint32Array.from(column('id')),
    flags: Uint8Array.from(column('flags')),
    length: Uint8Array.from(column('length')),
    rawDlc: Uint8Array.from(column('rawDlc')),
    dataAt,
    data: Uint8Array.from(data.flatMap((bytes) => [...bytes])),
    cursor: new Uint32Array(arrivals.length),
  };
}
