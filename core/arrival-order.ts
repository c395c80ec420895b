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
  /** Time of each stream's next frame. */
  readonly #heads: Float64Array;
  readonly #ranked: Uint32Array;
  #left: number;

  constructor(times: Times) {
    this.#times = times;
    this.#next = new Uint32Array(times.length);
    this.#heads = new Float64Array(times.length);
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

  /** Takes the next frame of the stream at `rank`, and moves the stream to where its next one puts it. */
  take(rank: number): void {
    const stream = this.streamAt(rank);
    const next = (this.#next[stream] ?? 0) + 1;
    this.#next[stream] = next;
    const time = this.#times[stream]?.[next];
    if (time === undefined) {
      this.#ranked.copyWithin(rank, rank + 1, this.#left);
      this.#left -= 1;
    } else if (time >= (this.#heads[stream] ?? 0)) {
      this.#heads[stream] = time;
      const after = this.#placeOf(stream, rank + 1, this.#left);
      this.#ranked.copyWithin(rank, rank + 1, after);
      this.#ranked[after - 1] = stream;
    } else {
      this.#heads[stream] = time; // a stamp that steps back: the stream moves to the front
      const at = this.#placeOf(stream, 0, rank);
      this.#ranked.copyWithin(at + 1, at, rank);
      this.#ranked[at] = stream;
    }
  }

  #insert(stream: number): void {
    this.#heads[stream] = this.#times[stream]?.[0] ?? 0;
    const at = this.#placeOf(stream, 0, this.#left);
    this.#ranked.copyWithin(at + 1, at, this.#left);
    this.#ranked[at] = stream;
    this.#left += 1;
  }

  /** Where the stream belongs among the ranks from `low` up to, not including, `high`. */
  #placeOf(stream: number, low: number, high: number): number {
    const heads = this.#heads;
    const time = heads[stream] ?? 0;
    let first = low;
    let end = high;
    while (first < end) {
      const middle = (first + end) >> 1;
      const other = this.#ranked[middle] ?? 0;
      const otherTime = heads[other] ?? 0;
      if (otherTime < time || (otherTime === time && other < stream)) first = middle + 1;
      else end = middle;
    }
    return first;
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
