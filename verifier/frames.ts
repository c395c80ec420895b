/**
 * The frames of a bundle, chunk by chunk, in recorded order; a leaf that is not what was sealed stops it.
 * Implements spec/verification.md, "Frames".
 */
import { decodeArrivalOrder } from '../core/arrival-order.ts';
import type { FrameBlock } from '../core/frame.ts';
import type { Hash } from '../core/hash.ts';
import type { Evidence } from './evidence.ts';
import {
  arrivalOrder,
  type Budget,
  budgetFor,
  type ChunkPart,
  decodeFrames,
  type StreamFrames,
} from './opened-chunk.ts';
import { provenChunks } from './proven-chunks.ts';

export type FrameChunk = {
  readonly log: number;
  readonly seq: number;
  /** Its bus column indexes the names that `busesOf` gives. */
  readonly block: FrameBlock;
  /** `by_time`: the order across streams is not disclosed, so frames stand by time, and by stream where times tie. */
  readonly order: 'recorded' | 'by_time';
};

/** The buses of the opened raw streams, ascending. */
export function busesOf({ streams }: Evidence): readonly string[] {
  const buses = streams.flatMap(({ name }) => (name.kind === 'raw' ? [name.bus] : []));
  return [...new Set(buses)].sort();
}

/**
 * A recovered chunk gives one block of frames for each of its journal blocks, in their order.
 * @throws FormatError, VerificationError as the check LEAVES, STREAMS or ORDER would fail
 */
export function* framesOf(evidence: Evidence, hash: Hash): Generator<FrameChunk> {
  const buses = busesOf(evidence);
  const budget = budgetFor(evidence.bytes);
  for (const { chunk, proven } of provenChunks(evidence, budget, hash)) {
    const { log, seq } = chunk;
    for (const part of proven.parts) {
      const frames = framesOfPart(part, budget, buses);
      if (frames !== undefined) yield { log, seq, ...frames };
    }
  }
}

/** Undefined when there are none. */
function framesOfPart(
  part: ChunkPart,
  budget: Budget,
  buses: readonly string[],
): Pick<FrameChunk, 'block' | 'order'> | undefined {
  const streams = decodeFrames(part.leaves, budget);
  if (streams.length === 0) return undefined;
  const order = arrivalOrder(part, streams);
  const arrived = order.kind === 'recorded' ? order.arrived : byTime(streams);
  const block = merged(streams, arrived, part.baseNs, buses);
  return { block, order: order.kind === 'recorded' ? 'recorded' : 'by_time' };
}

/** No departures: the order that times and names imply. */
function byTime(streams: readonly StreamFrames[]): Uint32Array {
  const times = streams.map(({ frames }) => frames.offsetNs);
  return decodeArrivalOrder(times, { count: 0, payload: new Uint8Array(0) });
}

function merged(
  streams: readonly StreamFrames[],
  arrived: Uint32Array,
  baseNs: bigint,
  buses: readonly string[],
): FrameBlock {
  const count = arrived.length;
  const size = streams.reduce((sum, { frames }) => sum + frames.data.length, 0);
  const out = {
    baseNs,
    count,
    offsetNs: new Float64Array(count),
    bus: new Uint8Array(count),
    id: new Uint32Array(count),
    flags: new Uint8Array(count),
    length: new Uint8Array(count),
    rawDlc: new Uint8Array(count),
    dataAt: new Uint32Array(count),
    data: new Uint8Array(size),
    cursor: new Uint32Array(count),
  };
  const next = new Uint32Array(streams.length);
  const places = streams.map(({ bus }) => buses.indexOf(bus));
  let at = 0;
  for (let i = 0; i < count; i++) {
    const s = arrived[i] ?? 0;
    const frames = streams[s]?.frames;
    if (frames === undefined) throw new RangeError('a frame of no stream');
    const f = next[s] ?? 0;
    next[s] = f + 1;
    out.offsetNs[i] = frames.offsetNs[f] ?? 0;
    out.bus[i] = places[s] ?? 0;
    out.id[i] = frames.id[f] ?? 0;
    out.flags[i] = frames.flags[f] ?? 0;
    out.length[i] = frames.length[f] ?? 0;
    out.rawDlc[i] = frames.rawDlc[f] ?? 0;
    out.dataAt[i] = at;
    const start = frames.dataAt[f] ?? 0;
    const end = f + 1 < frames.count ? (frames.dataAt[f + 1] ?? 0) : frames.data.length;
    out.data.set(frames.data.subarray(start, end), at);
    at += end - start;
  }
  return out;
}
