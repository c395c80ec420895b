/**
 * Arrival order across streams, as departures from the order that times and names imply.
 * Implements spec/arrival-order.md.
 *
 * The implied order is a merge: of all streams, the one whose next frame has the smallest time
 * comes first; ties go by stream name. A departure says that the stream at some later rank of that
 * order came first. Frames of one stream keep their recorded order, whatever their times.
 */
import { FormatError } from './errors.ts';
import { ByteReader, writeVarint } from './varint.ts';

/** Streams in the order of their names; `times[s]` are the stamps of stream s in recorded order. */
type Times = readonly Float64Array[];

/** The streams that have frames left, ordered by (time of the next frame, name). */
class Merge {
  readonly #times: Times;
  readonly #next: Uint32Array;
  readonly #ranked: Uint32Array;
  #left: number;

  constructor(times: Times) {
    this.#times = times;
    this.#next = new Uint32Array(times.length);
    this.#ranked = new Uint32Array(times.length);
    this.#left = 0;
    for (let s = 0; s < times.length; s++) if ((times[s]?.length ?? 0) > 0) this.#insert(s);
  }

  get left(): number {
    return this.#left;
  }

  /** -1 when the stream has no frames left. */
  rankOf(stream: number): number {
    const rank = this.#ranked.indexOf(stream);
    return rank < this.#left ? rank : -1;
  }

  streamAt(rank: number): number {
    return this.#ranked[rank] ?? 0;
  }

  /** Takes the next frame of the stream at `rank`. */
  take(rank: number): void {
    const stream = this.streamAt(rank);
    this.#ranked.copyWithin(rank, rank + 1, this.#left);
    this.#left -= 1;
    const next = (this.#next[stream] ?? 0) + 1;
    this.#next[stream] = next;
    if (next < (this.#times[stream]?.length ?? 0)) this.#insert(stream);
  }

  #insert(stream: number): void {
    const time = this.#headOf(stream);
    let low = 0;
    let high = this.#left;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.#ranked[middle] ?? 0;
      const otherTime = this.#headOf(other);
      if (otherTime < time || (otherTime === time && other < stream)) low = middle + 1;
      else high = middle;
    }
    this.#ranked.copyWithin(low + 1, low, this.#left);
    this.#ranked[low] = stream;
    this.#left += 1;
  }

  #headOf(stream: number): number {
    return this.#times[stream]?.[this.#next[stream] ?? 0] ?? 0;
  }
}

export type OrderPayload = { readonly count: number; readonly payload: Uint8Array };

/**
 * @param arrived for each frame in arrival order, its stream's position in `times`
 * @returns the number of departures and `(varint frames in implied order, varint rank)` for each
 */
export function encodeArrivalOrder(times: Times, arrived: Uint32Array): OrderPayload {
  const merge = new Merge(times);
  let out = new Uint8Array(256);
  let at = 0;
  let count = 0;
  let implied = 0;
  for (const stream of arrived) {
    const rank = merge.rankOf(stream);
    if (rank < 0) throw new RangeError('more frames arrived in a stream than it has stamps');
    if (rank === 0) implied += 1;
    else {
      if (at + 16 > out.length) {
        const larger = new Uint8Array(out.length * 2);
        larger.set(out);
        out = larger;
      }
      at = writeVarint(out, writeVarint(out, at, implied), rank);
      implied = 0;
      count += 1;
    }
    merge.take(rank);
  }
  return { count, payload: out.slice(0, at) };
}

/**
 * @returns for each frame in arrival order, its stream's position in `times`
 * @throws FormatError ARRIVAL_ORDER when the departures do not fit these streams
 */
export function decodeArrivalOrder(times: Times, order: OrderPayload): Uint32Array {
  const arrived = new Uint32Array(times.reduce((sum, stamps) => sum + stamps.length, 0));
  const merge = new Merge(times);
  const reader = new ByteReader(order.payload, 'ARRIVAL_ORDER');
  let at = 0;
  const takeRank = (rank: number): void => {
    arrived[at] = merge.streamAt(rank);
    at += 1;
    merge.take(rank);
  };
  for (let departure = 0; departure < order.count; departure++) {
    const implied = reader.varint();
    if (implied > arrived.length - at) throw misfit();
    for (let i = 0; i < implied; i++) takeRank(0);
    const rank = reader.varint();
    if (rank === 0 || rank >= merge.left) throw misfit();
    takeRank(rank);
  }
  reader.end();
  while (merge.left > 0) takeRank(0);
  return arrived;
}

function misfit(): FormatError {
  return new FormatError('ARRIVAL_ORDER', 'the departures do not fit the frames of the chunk');
}
