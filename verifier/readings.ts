/**
 * Goes once through all opened chunks and keeps what the checks and the facts need: counts, never contents.
 * Implements spec/verification.md, "LEAVES", "STREAMS" and "ORDER".
 */

import type { OpenedChunk } from '../core/bundle-items.ts';
import { equalBytes } from '../core/bytes.ts';
import { FormatError, VerificationError } from '../core/errors.ts';
import type { Hash } from '../core/hash.ts';
import { verifyBlocks } from '../core/recovered.ts';
import type { VerifyDigest } from '../core/signature.ts';
import { type CustodyPart, custodyParts } from './custody-parts.ts';
import type { Evidence } from './evidence.ts';
import {
  arrivalOrder,
  type Budget,
  budgetFor,
  type ChunkPart,
  decodeFrames,
  type ProvenChunk,
  proveChunk,
} from './opened-chunk.ts';
import { proveRecovered } from './recovered-chunk.ts';
import { type HeaderTrail, headerOf, type Trail } from './trail.ts';

export type Problem = { readonly code: string; readonly message: string };

/** One stream in one log. */
export type StreamReading = {
  readonly stream: string;
  readonly log: number;
  /** In which any leaf of it is opened. */
  chunks: number;
  /** In which all leaves of it are opened, so that nothing of it is held back. */
  complete: number;
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
  /** Streams that stay closed: least and most in one opened chunk. */
  withheldLeast: number;
  withheldMost: number;
  /** By log and place in the section `streams`. */
  readonly streams: Map<number, Map<number, StreamReading>>;
  /** Of opened recovered chunks: how many, and of how many blocks. */
  recovered: number;
  blocks: number;
  /** Positions of headers of recovered chunks in which silence is claimed: not all of their streams are opened. */
  readonly claimedSilent: number[];
  /** Of custody streams, in the order of the bundle. */
  readonly custody: CustodyPart[];
  /** Chunks with frames: how many show their order, and how many do not. */
  ordered: number;
  unordered: number;
  /** The first of each kind; after a leaf problem nothing further is read. */
  leafProblem: Problem | undefined;
  streamProblem: Problem | undefined;
  orderProblem: Problem | undefined;
};

/** What cannot be told because the policy does not name a device key, in place of a code. */
export const NOT_REACHED = 'NOT_REACHED';

export function readOpenedChunks(
  evidence: Evidence,
  trail: Trail,
  verifyDigest: VerifyDigest,
  hash: Hash,
): Readings {
  const readings: Readings = {
    chunks: 0,
    leaves: 0,
    frames: 0,
    withheldLeast: Number.POSITIVE_INFINITY,
    withheldMost: 0,
    streams: new Map(),
    recovered: 0,
    blocks: 0,
    claimedSilent: [],
    custody: [],
    ordered: 0,
    unordered: 0,
    leafProblem: undefined,
    streamProblem: undefined,
    orderProblem: undefined,
  };
  const budget = budgetFor(evidence.bytes);
  let unknown: Problem | undefined;
  for (const chunk of evidence.chunks) {
    const result = attempt(() => {
      const { entry, at } = headerOf(trail.headers, chunk);
      return { proven: prove(chunk, entry, evidence, budget, verifyDigest, hash), at };
    });
    if ('problem' in result && result.problem.code === NOT_REACHED) {
      // What is not known of one chunk says nothing for the others.
      unknown ??= result.problem;
      continue;
    }
    if ('problem' in result) {
      readings.leafProblem = result.problem;
      return readings;
    }
    const { proven, at } = result.value;
    count(readings, chunk, at, proven);
    readings.custody.push(...custodyParts(chunk, proven));
    readContents(readings, chunk, proven, budget);
  }
  if (trail.strayBlocks > 0) {
    readings.leafProblem = {
      code: 'BLOCK_COUNT',
      message: `${trail.strayBlocks} journal blocks belong to no opened chunk`,
    };
  }
  readings.leafProblem ??= unknown;
  return readings;
}

function prove(
  chunk: OpenedChunk,
  entry: HeaderTrail,
  evidence: Evidence,
  budget: Budget,
  verifyDigest: VerifyDigest,
  hash: Hash,
): ProvenChunk {
  const { header, journal } = entry;
  if (journal === undefined) return proveChunk(chunk, header, evidence.streams, budget, hash);
  requireBlocks(entry);
  verifyBlocks(
    header,
    deadSessionOf(entry),
    journal.blocks.map(({ item }) => item),
    verifyDigest,
    hash,
  );
  requireEarlierSession(entry);
  return proveRecovered(chunk, header, journal.blocks, evidence.streams, hash);
}

/** As many blocks as the header says, and somebody known who signed them. */
function requireBlocks({ header, journal, session }: HeaderTrail): void {
  const where = `chunk ${header.log}/${header.seq}`;
  const expected = header.recovered?.blockCount ?? 0;
  const got = journal?.blocks.length ?? 0;
  if (got !== expected) {
    throw new VerificationError('BLOCK_COUNT', `${where}: expected ${expected} blocks, got ${got}`);
  }
  if (got > 0 && (journal?.session?.id === undefined || session === undefined)) {
    throw new VerificationError(NOT_REACHED, `the session of the blocks of ${where} is not known`);
  }
}

/** The blocks were signed by a session of the same log that began before the one that recovered them. */
function requireEarlierSession({ header, journal, session }: HeaderTrail): void {
  const [dead, own] = [journal?.session?.record, session?.record];
  if (dead === undefined || own === undefined) return;
  const isSameLog =
    equalBytes(dead.tag, own.tag) &&
    dead.epoch === own.epoch &&
    dead.log === own.log &&
    equalBytes(dead.deviceKeyId, own.deviceKeyId);
  if (!isSameLog || dead.number >= own.number) {
    throw new VerificationError(
      'BLOCK_SESSION',
      `the blocks of chunk ${header.log}/${header.seq} are not of an earlier session of its log`,
    );
  }
}

function deadSessionOf({ journal }: HeaderTrail): Parameters<typeof verifyBlocks>[1] {
  const dead = journal?.session;
  return dead?.id === undefined ? undefined : { id: dead.id, key: dead.record.sessionKey };
}

function count(readings: Readings, chunk: OpenedChunk, at: number, proven: ProvenChunk): void {
  const { parts, presence } = proven;
  readings.chunks += 1;
  readings.leaves += chunk.leaves.length;
  const shown = presence?.leaves.length ?? chunk.leaves.length;
  const withheld = (presence?.streams ?? parts[0]?.entryCount ?? 0) - shown;
  readings.withheldLeast = Math.min(readings.withheldLeast, withheld);
  readings.withheldMost = Math.max(readings.withheldMost, withheld);
  if (presence !== undefined) {
    readings.recovered += 1;
    readings.blocks += parts.length;
    const isSilentSomewhere = presence.leaves.some((leaf) => leaf.count < parts.length);
    if (withheld > 0 && isSilentSomewhere) readings.claimedSilent.push(at);
  }
  for (const [place, own] of tallies(proven)) {
    const stream = readingOf(readings, chunk.log, place, own.stream, at);
    stream.chunks += 1;
    if (own.expected === own.leaves) stream.complete += 1;
    if (own.expected === own.leaves && own.count === 0) stream.silent += 1;
    stream.count += own.count;
    stream.lastHeader = at;
  }
}

type Tally = {
  readonly stream: string;
  leaves: number;
  /** How many leaves there are; not known while the presence leaf of a recovered chunk is closed. */
  readonly expected: number | undefined;
  count: number;
};

/** What one opened chunk shows of each of its streams, by place. */
function tallies({ parts, presence }: ProvenChunk): ReadonlyMap<number, Tally> {
  const out = new Map<number, Tally>();
  for (const { place, stream, count: expected } of presence?.leaves ?? []) {
    out.set(place, { stream, leaves: 0, expected, count: 0 });
  }
  const expected = presence === undefined ? 1 : undefined;
  for (const leaf of parts.flatMap(({ leaves }) => leaves)) {
    const own = out.get(leaf.place) ?? { stream: leaf.stream, leaves: 0, expected, count: 0 };
    out.set(leaf.place, own);
    own.leaves += 1;
    own.count += leaf.count;
  }
  return out;
}

function readingOf(
  readings: Readings,
  log: number,
  place: number,
  stream: string,
  at: number,
): StreamReading {
  const inLog = readings.streams.get(log) ?? new Map<number, StreamReading>();
  readings.streams.set(log, inLog);
  const none = { chunks: 0, complete: 0, silent: 0, count: 0, firstHeader: at, lastHeader: at };
  const known = inLog.get(place) ?? { stream, log, ...none };
  inLog.set(place, known);
  return known;
}

/** Of all logs, in the order in which they were first opened. */
export function streamsOf(readings: Readings): readonly StreamReading[] {
  return [...readings.streams.values()].flatMap((inLog) => [...inLog.values()]);
}

function readContents(
  readings: Readings,
  { log, seq }: OpenedChunk,
  { parts }: ProvenChunk,
  budget: Budget,
): void {
  if (readings.streamProblem !== undefined) return;
  let isOrdered: boolean | undefined;
  for (const part of parts) {
    const order = attempt(() => readPart(readings, part, budget));
    if ('value' in order) {
      if (order.value !== undefined) isOrdered = order.value && isOrdered !== false;
      continue;
    }
    if (order.problem.code !== 'ARRIVAL_ORDER') {
      readings.streamProblem = order.problem;
      return;
    }
    readings.orderProblem ??= {
      code: order.problem.code,
      message: `chunk ${log}/${seq}: ${order.problem.message}`,
    };
  }
  if (isOrdered === true) readings.ordered += 1;
  if (isOrdered === false) readings.unordered += 1;
}

/** @returns whether the order across streams is shown; undefined without frames */
function readPart(readings: Readings, part: ChunkPart, budget: Budget): boolean | undefined {
  const frames = decodeFrames(part.leaves, budget);
  if (frames.length === 0) return undefined;
  for (const stream of frames) readings.frames += stream.frames.count;
  return arrivalOrder(part, frames).kind === 'recorded';
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
