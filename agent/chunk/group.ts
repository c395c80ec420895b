/** Puts the frames of a chunk into streams: rows by stream, in recorded order, without copying a frame. */
import type { FrameBlock } from '../../core/frame.ts';
import type { StreamTable } from './stream-table.ts';

export type Grouped = {
  /** For each row of the chunk, its stream's ordinal. */
  readonly ordinals: Uint16Array;
  /** Ordinals are below this. */
  readonly streamCount: number;
  /** Rows of the stream with this ordinal; empty when it is silent. */
  rowsOf(ordinal: number): Uint32Array;
};

export function groupByStream(
  frames: FrameBlock,
  buses: readonly string[],
  streams: StreamTable,
): Grouped {
  const { count, bus, id } = frames;
  const ordinals = new Uint16Array(count);
  for (let i = 0; i < count; i++) {
    const busIndex = bus[i] ?? 0;
    ordinals[i] = streams.ordinalOf(busIndex, buses[busIndex] ?? '', id[i] ?? 0);
  }
  const streamCount = streams.all.length;
  const starts = new Uint32Array(streamCount + 1);
  for (let i = 0; i < count; i++) {
    const after = (ordinals[i] ?? 0) + 1;
    starts[after] = (starts[after] ?? 0) + 1;
  }
  for (let s = 1; s < starts.length; s++) starts[s] = (starts[s] ?? 0) + (starts[s - 1] ?? 0);
  const rows = new Uint32Array(count);
  const next = starts.slice();
  for (let i = 0; i < count; i++) {
    const ordinal = ordinals[i] ?? 0;
    const at = next[ordinal] ?? 0;
    rows[at] = i;
    next[ordinal] = at + 1;
  }
  return {
    ordinals,
    streamCount,
    rowsOf: (ordinal) => rows.subarray(starts[ordinal] ?? 0, starts[ordinal + 1] ?? 0),
  };
}
