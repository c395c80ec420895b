/**
 * What the agent is doing, in memory: pipeline, spool and uplink write into it, metrics and status file read it.
 * Times are ms since 1970 by the wall clock; sizes are bytes; everything counts from the start of the process.
 */
import {
  type BusCounters,
  type Clock,
  GAP_CAUSES,
  type Gap,
  type GapCause,
} from '../core/chunk-header.ts';
import { CAN_ERR_FLAG, type FrameBlock } from '../core/frame.ts';
import { Histogram } from './histogram.ts';
import type { CaptureBlock, LinkState } from './ports.ts';

export type BusStatus = {
  readonly bus: string;
  /** Undefined until the source tells, and in a replay. */
  link: LinkState | undefined;
  linkSinceMs: number | undefined;
  frames: number;
  errorFrames: number;
  kernelDrops: number;
  controllerOverruns: number;
  busOffs: number;
  lastFrameMs: number | undefined;
};

export const PHASES = ['starting', 'recording', 'stopping'] as const;
export type Phase = (typeof PHASES)[number];

/** What is wrong now and may pass by itself, such as STORAGE_FULL. */
export type Problem = { readonly code: string; readonly message: string; readonly sinceMs: number };

/** Seconds: from one quick sync on good flash to one that is slower than the watchdog's patience. */
const SYNC_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

export class AgentStatus {
  phase: Phase = 'starting';
  readonly startedMs: number;
  /** The driver has paused the recording. */
  pausedSinceMs: number | undefined;
  /** By bus index of the source; grows while a replay learns its buses. */
  readonly buses: BusStatus[] = [];
  readonly gaps: Record<GapCause, number>;

  readonly capture = {
    driver: '',
    dataBytes: 0,
    ringBytes: 0,
    /** How often the reader stood still because the ring was full: from then on the kernel counts losses. */
    ringFull: 0,
  };
  readonly chunks = {
    count: 0,
    bytes: 0,
    lastSeq: undefined as number | undefined,
    lastEndMs: undefined as number | undefined,
    /** Bodies, then the index: two syncs. */
    commitSeconds: new Histogram(SYNC_SECONDS),
  };
  readonly journal = {
    blocks: 0,
    bytes: 0,
    /** Everything that arrived before is durable; moves on when nothing arrives, too. */
    durableMs: undefined as number | undefined,
    syncSeconds: new Histogram(SYNC_SECONDS),
    /** Found at the start: what an earlier session knew to be durable was changed. */
    isDamaged: false,
  };
  readonly spool = {
    bytes: 0,
    maxBytes: 0,
    oldestMs: undefined as number | undefined,
    heldBytes: 0,
    /** Holds leave no room: recording goes on in what is left. */
    isFullOfHolds: false,
    evictedChunks: 0,
    /** Written by this process to the device, page cache apart. */
    deviceBytes: 0,
  };
  readonly custody = {
    /** Records that became durable in a chunk. */
    sealed: 0,
    /** Files that were refused and lie there still. */
    refused: 0,
  };
  readonly uplink = {
    isConnected: false,
    unaccepted: 0,
    unreceipted: 0,
    /** Statements that a service refuses. */
    aside: 0,
    accepted: 0,
    receipts: 0,
    refused: 0,
    badAnswers: 0,
    lastAcceptedMs: undefined as number | undefined,
    lastReceiptMs: undefined as number | undefined,
  };
  readonly clock = {
    source: 'unsynchronised' as Clock['source'],
    quality: undefined as Clock['quality'],
    steps: 0,
  };
  /** Sessions of this log before this one. */
  restarts = 0;
  /** Moves with every round of the pipeline, frames or none: the watchdog is fed only when it has moved. */
  rounds = 0;
  readonly #problems = new Map<string, Problem>();

  constructor(startedMs: number) {
    this.startedMs = startedMs;
    this.gaps = Object.fromEntries(GAP_CAUSES.map((cause) => [cause, 0])) as Record<
      GapCause,
      number
    >;
  }

  /** Made when it is not there. */
  bus(index: number, name: string): BusStatus {
    const known = this.buses[index];
    if (known !== undefined) return known;
    const fresh: BusStatus = {
      bus: name,
      link: undefined,
      linkSinceMs: undefined,
      frames: 0,
      errorFrames: 0,
      kernelDrops: 0,
      controllerOverruns: 0,
      busOffs: 0,
      lastFrameMs: undefined,
    };
    this.buses[index] = fresh;
    return fresh;
  }

  /** Of one bus, error frames included. */
  framesOf(index: number): number {
    const { frames = 0, errorFrames = 0 } = this.buses[index] ?? {};
    return frames + errorFrames;
  }

  /** Once for each block of a live capture. */
  observe(block: CaptureBlock, names: readonly string[]): void {
    this.rounds += 1;
    for (const { bus, state, wallNs } of block.links) {
      const status = this.bus(bus, names[bus] ?? '');
      if (status.link === state) continue;
      status.link = state;
      status.linkSinceMs = toMs(wallNs);
    }
    this.countFrames(block, names, toMs(block.clock.wallNs));
  }

  /** Once for each block of a replay. @param atMs when they came */
  countFrames(block: FrameBlock, names: readonly string[], atMs: number): void {
    const { count, bus, id, length } = block;
    let dataBytes = 0;
    for (let i = 0; i < count; i++) {
      const of = bus[i] ?? 0;
      const status = this.buses[of] ?? this.bus(of, names[of] ?? '');
      dataBytes += length[i] ?? 0;
      if (((id[i] ?? 0) & CAN_ERR_FLAG) === 0) {
        status.frames += 1;
        status.lastFrameMs = atMs;
      } else {
        // The controller's word, not traffic: a bus that is off has some.
        status.errorFrames += 1;
      }
    }
    this.capture.dataBytes += dataBytes;
  }

  /** A block of the journal, and what it took until it was durable. */
  journaled(bytes: number, seconds: number): void {
    this.journal.blocks += 1;
    this.journal.bytes += bytes;
    this.journal.syncSeconds.observe(seconds);
  }

  /** Chunks became durable together. */
  committed(seconds: number): void {
    this.chunks.commitSeconds.observe(seconds);
  }

  /** What the chunk's header says. */
  sealed(chunk: {
    readonly seq: number;
    readonly bodyBytes: number;
    readonly wallEndNs: bigint;
    readonly buses: readonly BusCounters[];
    readonly gaps: readonly Gap[];
    readonly clock: Clock;
  }): void {
    const { chunks, clock } = this;
    chunks.count += 1;
    chunks.bytes += chunk.bodyBytes;
    chunks.lastSeq = chunk.seq;
    chunks.lastEndMs = toMs(chunk.wallEndNs);
    chunk.buses.forEach((counters, i) => {
      const status = this.bus(i, counters.bus);
      status.kernelDrops += counters.kernelDrops;
      status.controllerOverruns += counters.controllerOverruns;
      status.busOffs += counters.busOffs;
    });
    for (const { cause } of chunk.gaps) this.gaps[cause] += 1;
    clock.source = chunk.clock.source;
    clock.quality = chunk.clock.quality;
    clock.steps += chunk.clock.steps;
  }

  problems(): readonly Problem[] {
    return [...this.#problems.values()];
  }

  /** @param atMs kept from the first report until the problem is over */
  failed(code: string, message: string, atMs: number): void {
    const sinceMs = this.#problems.get(code)?.sinceMs ?? atMs;
    this.#problems.set(code, { code, message, sinceMs });
  }

  succeeded(code: string): void {
    this.#problems.delete(code);
  }
}

function toMs(ns: bigint): number {
  return Number(ns / 1_000_000n);
}
