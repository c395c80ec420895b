/** Puts frames into streams: rows by stream, in recorded order, without copying a frame. */
import type { FrameRows } from '../ports.ts';
import type { StreamRoutes } from './stream-routes.ts';

export type Grouped = {
  /** For each row from `from` on, its stream's ordinal. */
  readonly ordinals: Uint16Array;
  /** Rows of the stream with this ordinal, as they are numbered in the block; empty when it is silent. */
  rowsOf(ordinal: number): Uint32Array;
};

/**
 * @param streamCount every ordinal is below
 * @throws RangeError when a frame is in no stream
 */
export function groupByStream(
  { frames, buses, from, to }: FrameRows,
  routes: StreamRoutes,
  streamCount: number,
): Grouped {
  const { bus, id } = frames;
  const ordinals = new Uint16Array(to - from);
  const starts = new Uint32Array(streamCount + 1);
  for (let i = from; i < to; i++) {
    const busIndex = bus[i] ?? 0;
    const ordinal = routes.ordinalOf(busIndex, buses[busIndex] ?? '', id[i] ?? 0);
    if (ordinal === undefined) throw new RangeError(`the stream of row ${i} was not added`);
    ordinals[i - from] = ordinal;
    starts[ordinal + 1] = (starts[ordinal + 1] ?? 0) + 1;
  }
  for (let s = 1; s < starts.length; s++) starts[s] = (starts[s] ?? 0) + (starts[s - 1] ?? 0);
  const rows = new Uint32Array(to - from);
  const next = starts.slice();
  for (let i = from; i < to; i++) {
    const ordinal = ordinals[i - from] ?? 0;
    const at = next[ordinal] ?? 0;
    rows[at] = i;
    next[ordinal] = at + 1;
  }
  return {
    ordinals,
    rowsOf: (ordinal) => rows.subarray(starts[ordinal] ?? 0, starts[ordinal + 1] ?? 0),
  };
}
