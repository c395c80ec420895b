/**
 * Goes once through all opened chunks and keeps what the checks and the facts need: counts, never contents.
 * Implements spec/verification.md, "LEAVES", "STREAMS" and "ORDER".
 */
import type { OpenedChunk } from '../core/bundle-items.ts';
import { FormatError, VerificationError } from '../core/errors.ts';
import type { Hash } from '../core/hash.ts';
import type { Evidence } from './evidence.ts';
import {
  arrivalOrder,
  type Budget,
  budgetFor,
  decodeFrames,
  type ProvenLeaf,
  proveLeaves,
} from './opened-chunk.ts';
import { firstAt, type HeaderTrail, type Trail } from './trail.ts';

export type Problem = { readonly code: string; readonly message: string };

/** One stream in one log. */
export type StreamReading = {
  readonly stream: string;
  readonly log: number;
  leaves: number;
  silent: number;
  /** Frames of a raw stream, records of any other. */
  count: number;
  /** Positions of the headers of its first and last opened leaf. */
  firstHeader: number;
  lastHeader: number;
};

export type Readings = {
  chunks: number;
  leaves: number;
  frames: number;
  /** Entries that stay closed: least and most in one opened chunk. */
  withheldLeast: number;
  withheldMost: number;
  /** By log and place in the section `streams`. */
  readonly streams: Map<number, Map<number, StreamReading>>;
  /** Positions of the headers whose chunk has an opened leaf. */
  readonly opened: Set<number>;
  recoveredOpened: number;
  /** Chunks with frames: how many show their order, and how many do not. */
  ordered: number;
  unordered: number;
  /** The first of each kind; after a leaf problem nothing further is read. */
  leafProblem: Problem | undefined;
  streamProblem: Problem | undefined;
  orderProblem: Problem | undefined;
};

export function readOpenedChunks(evidence: Evidence, trail: Trail, hash: Hash): Readings {
  const readings: Readings = {
    chunks: 0,
    leaves: 0,
    frames: 0,
    withheldLeast: Number.POSITIVE_INFINITY,
    withheldMost: 0,
    streams: new Map(),
    opened: new Set(),
    recoveredOpened: 0,
    ordered: 0,
    unordered: 0,
    leafProblem: undefined,
    streamProblem: undefined,
    orderProblem: undefined,
  };
  const budget = budgetFor(evidence.bytes);
  for (const chunk of evidence.chunks) {
    const at = firstAt(trail.headers, chunk.log, chunk.seq);
    const entry = trail.headers[at];
    if (entry?.header.log !== chunk.log || entry.header.seq !== chunk.seq) {
      readings.leafProblem = {
        code: 'LEAF_HEADER_MISSING',
        message: `chunk ${chunk.log}/${chunk.seq} is opened, but its header is not in the bundle`,
      };
      return readings;
    }
    readings.opened.add(at);
    const leaves = attempt(() => proveLeaves(chunk, entry.header, evidence.streams, budget, hash));
    if ('problem' in leaves) {
      readings.leafProblem = leaves.problem;
      return readings;
    }
    count(readings, chunk, at, entry, leaves.value);
    readContents(readings, entry, leaves.value, budget);
  }
  return readings;
}

function count(
  readings: Readings,
  chunk: OpenedChunk,
  at: number,
  { header }: HeaderTrail,
  leaves: readonly ProvenLeaf[],
): void {
  const withheld = header.entryCount - leaves.length;
  readings.chunks += 1;
  readings.leaves += leaves.length;
  readings.withheldLeast = Math.min(readings.withheldLeast, withheld);
  readings.withheldMost = Math.max(readings.withheldMost, withheld);
  if (header.recovered !== undefined) readings.recoveredOpened += 1;
  const inLog = readings.streams.get(chunk.log) ?? new Map<number, StreamReading>();
  readings.streams.set(chunk.log, inLog);
  for (const leaf of leaves) {
    let stream = inLog.get(leaf.place);
    if (stream === undefined) {
      const { log } = chunk;
      const none = { leaves: 0, silent: 0, count: 0, firstHeader: at, lastHeader: at };
      stream = { stream: leaf.stream, log, ...none };
      inLog.set(leaf.place, stream);
    }
    stream.leaves += 1;
    if (leaf.count === 0) stream.silent += 1;
    stream.count += leaf.count;
    stream.lastHeader = at;
  }
}

/** Of all logs, in the order in which they were first opened. */
export function streamsOf(readings: Readings): readonly StreamReading[] {
  return [...readings.streams.values()].flatMap((inLog) => [...inLog.values()]);
}

function readContents(
  readings: Readings,
  { header }: HeaderTrail,
  leaves: readonly ProvenLeaf[],
  budget: Budget,
): void {
  if (readings.streamProblem !== undefined) return;
  const frames = attempt(() => decodeFrames(leaves, budget));
  if ('problem' in frames) {
    readings.streamProblem = frames.problem;
    return;
  }
  if (frames.value.length === 0) return;
  for (const stream of frames.value) readings.frames += stream.frames.count;
  const order = attempt(() => arrivalOrder(leaves, header.entryCount, frames.value));
  if ('problem' in order) {
    readings.orderProblem ??= {
      code: order.problem.code,
      message: `chunk ${header.log}/${header.seq}: ${order.problem.message}`,
    };
  } else if (order.value.kind === 'recorded') readings.ordered += 1;
  else readings.unordered += 1;
}

/** The value, or why there is none; our own mistakes are not caught. */
export function attempt<T>(run: () => T): { readonly value: T } | { readonly problem: Problem } {
  try {
    return { value: run() };
  } catch (error) {
    if (error instanceof FormatError || error instanceof VerificationError) {
      return { problem: { code: error.code, message: error.message } };
    }
    throw error;
  }
}
