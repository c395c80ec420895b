/**
 * Takes what was captured through the stages: into the journal at once, into a chunk when it is over.
 * What is durable when, and what a kill at each line leaves, is argued here.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { Gap } from '../core/chunk-header.ts';
import { frameTimeNs } from '../core/frame.ts';
import { RECORDS } from '../core/stream.ts';
import { streamsRecords } from './chunk/agent-records.ts';
import type { ChunkSealer } from './chunk/chunk-sealer.ts';
import type { Slice } from './chunk/chunker.ts';
import { LiveChunker } from './chunk/live-chunker.ts';
import type { StreamTable } from './chunk/stream-table.ts';
import type { Commits } from './commits.ts';
import type {
  CaptureBlock,
  CaptureSource,
  ClockQuality,
  ClockReading,
  CustodySource,
  PauseState,
  RecordsLeaf,
  StoredStream,
} from './ports.ts';
import { CaptureWatch } from './record/capture-watch.ts';
import type { Journal } from './record/journal.ts';
import { PauseWatch } from './record/pause-watch.ts';
import type { AgentStatus } from './status.ts';

/** How much of what was captured a power cut cannot take any more. */
export type Watermark = {
  /** Frames of each bus since the session began, in the order of the session's buses. */
  readonly frames: readonly number[];
  /** Everything that arrived before it is durable. */
  readonly wallNs: bigint;
};

export type LivePipelineParts = {
  readonly source: CaptureSource;
  /** What was taken first: the clock in it is the start of the first chunk. */
  readonly first: CaptureBlock;
  readonly sealer: ChunkSealer;
  readonly streams: StreamTable;
  /** How many streams a committed chunk has announced, and of how many the roots are durable. */
  readonly announced: number;
  readonly stored: number;
  readonly journal: Journal;
  /** Makes the roots durable. */
  readonly commitStreams: (streams: readonly StoredStream[]) => void;
  readonly commits: Commits;
  readonly custody: CustodySource;
  readonly chunkMs: number;
  readonly batchMs: number;
  readonly blockMs: number;
  readonly idleAfterMs: number;
  /** What lies between the session before and this one, where no recovered chunk says it. */
  readonly before: readonly Gap[];
  readonly clockQuality: ClockQuality;
  readonly pause: PauseState;
  readonly status: AgentStatus;
  /** Monotonic. */
  readonly nowMs: () => number;
  readonly onDurable: (watermark: Watermark) => void;
};

export class LivePipeline {
  readonly #parts: LivePipelineParts;
  readonly #buses: readonly string[];
  readonly #watch: CaptureWatch;
  readonly #chunker: LiveChunker;
  readonly #pause: PauseWatch;
  /** By bus: what the status had counted when the session began, since it lives longer than a session. */
  readonly #framesBefore: readonly number[];
  /** Everything that arrived before it is in the blocks so far. */
  #reach: ClockReading;
  /** What the newest block of the chunk being filled holds and where it ended; none before its first. */
  #saved: { readonly rows: number; readonly end: ClockReading } | undefined;
  /** Streams that a block of the chunk being filled, or a chunk before it, has named. */
  #named: number;
  /** Streams whose roots are durable: more than are named where a crash took the block that named them. */
  #stored: number;
  #stopped = false;
  #isLast = false;
  #aborted = false;
  #isEnding = false;

  constructor(parts: LivePipelineParts) {
    this.#parts = parts;
    this.#buses = parts.source.buses.map(({ bus }) => bus);
    this.#named = parts.announced;
    this.#stored = parts.stored;
    const start = parts.first.clock;
    this.#reach = start;
    this.#watch = new CaptureWatch({ buses: this.#buses, start, idleAfterMs: parts.idleAfterMs });
    this.#framesBefore = this.#buses.map((_, bus) => parts.status.framesOf(bus));
    const { chunkGaps, blockGaps, chunkLosses } = this.#watch;
    this.#pause = new PauseWatch(parts.pause, [chunkGaps, blockGaps]);
    for (const gap of parts.before) {
      for (const list of [chunkGaps, blockGaps]) list.addEarlier(gap);
    }
    this.#chunker = new LiveChunker(
      { chunkMs: parts.chunkMs, batchMs: parts.batchMs, start },
      {
        takeGaps: (toNs) => chunkGaps.take(toNs),
        takeCounters: () => chunkLosses.take(),
        restartGaps: (wallNs) => {
          chunkGaps.restart(wallNs);
          blockGaps.restart(wallNs);
        },
        clock: parts.clockQuality,
        isPaused: () => this.#pause.pause !== undefined,
        isQuiet: () => !chunkGaps.hasNews && chunkLosses.isZero && !parts.custody.isWaiting(),
      },
      (slice) => this.#seal(slice),
    );
  }

  /** Until `stop` or `leave`; what was captured by then is sealed and committed, and on `stop` batched. */
  async run(): Promise<void> {
    const { source, nowMs, blockMs, commits } = this.#parts;
    let next = nowMs();
    this.#push(this.#parts.first);
    while (this.#goesOn()) {
      // Blocks at fixed moments, not after a pause: what the work takes is not added to the time between them.
      next = Math.max(next + blockMs, nowMs());
      await source.wait(Math.max(0, next - nowMs()));
      // Told to stop meanwhile: the last chunk takes what there is.
      if (this.#goesOn()) await this.#takeAll();
    }
    if (this.#isAborted()) return;
    // What the driver still holds belongs to this session; what it lost it knows for good only when it is closed.
    if (this.#isLast) await source.close();
    // The chunk that ends here makes it durable: blocks of its own would cost a slow disk as many syncs again.
    this.#isEnding = true;
    await this.#takeAll();
    if (this.#isAborted()) return;
    this.#chunker.end();
    // In a log that is left nothing more is signed: its chunks are covered by the next one.
    if (this.#isLast) commits.closeBatch();
  }

  /** The capture ends with this session. */
  stop(): void {
    this.#stopped = true;
    this.#isLast = true;
  }

  /** The capture goes on in a session of another log. */
  leave(): void {
    this.#stopped = true;
  }

  /** Nothing more can be written: `run` resolves without sealing what was captured. */
  abort(): void {
    this.#stopped = true;
    this.#aborted = true;
  }

  /** Asked anew after every wait. */
  #goesOn(): boolean {
    return !this.#stopped;
  }

  #isAborted(): boolean {
    return this.#aborted;
  }

  /**
   * What waits behind a slow disk is many blocks, each with its sync: whoever says that it must stop is heard between
   * them, and then the rest needs no blocks any more.
   */
  async #takeAll(): Promise<void> {
    for (;;) {
      const block = this.#parts.source.take();
      const { isFull } = block;
      this.#push(block);
      if (!isFull) return;
      await turn();
      if (this.#stopped && !this.#isEnding) return;
    }
  }

  #push(taken: CaptureBlock): void {
    const { status } = this.#parts;
    const block = this.#pause.filter(taken, this.#reach.wallNs);
    const { pause } = this.#pause;
    status.pausedSinceMs = pause?.sinceMs;
    this.#chunker.wake(block.count);
    const { stepNs } = this.#watch.observe(block, pause !== undefined);
    status.observe(block, this.#buses);
    this.#reach = reachOf(taken, this.#reach.monoNs);
    // The chunk that ends the session takes all that is left: one more would cost a slow disk its syncs again.
    const isFull = block.isFull || this.#isEnding;
    this.#chunker.push({ ...block, clock: this.#reach, isFull }, stepNs);
    this.#save(this.#reach);
    if (this.#parts.journal.isFull) this.#chunker.closeEarly();
  }

  /** Makes durable what no chunk has taken, and tells how far everything is. */
  #save(end: ClockReading): void {
    if (this.#isEnding) return;
    const { blockGaps, blockLosses } = this.#watch;
    const hasFrames = this.#chunker.frames.count > (this.#saved?.rows ?? 0);
    if (hasFrames || blockGaps.hasNews || !blockLosses.isZero) this.#journal(end);
    const { status, onDurable } = this.#parts;
    status.journal.durableMs = Number(end.wallNs / 1_000_000n);
    const frames = this.#framesBefore.map((before, bus) => status.framesOf(bus) - before);
    onDurable({ frames, wallNs: end.wallNs });
  }

  /**
   * A kill before the sync loses what arrived since the block before, which nobody was told is durable; a kill
   * after it leaves a block that the next start recovers.
   */
  #journal(end: ClockReading): void {
    const { journal, streams, sealer, commitStreams, status, nowMs } = this.#parts;
    const { blockGaps, blockLosses } = this.#watch;
    const { frames, start: chunkStart } = this.#chunker;
    // Not where the chunk before ended: the clock may have been set there, and stamps lie near the new time.
    const start = this.#saved?.end ?? chunkStart;
    const rows = {
      frames,
      buses: this.#buses,
      from: this.#saved?.rows ?? 0,
      to: frames.count,
      shiftNs: Number(chunkStart.wallNs - start.wallNs),
    };
    streams.addStrangers(rows);
    // Their roots first: a block that survives without the root of one of its leaves could not be opened. A kill
    // here leaves roots that nothing was sealed under, and the next chunk announces them.
    const fresh = streams.from(this.#named);
    const unstored = streams.from(this.#stored);
    if (unstored.length > 0) {
      commitStreams(unstored);
      streams.forgetRoots();
    }
    this.#stored = streams.size;
    const named = (): RecordsLeaf => ({
      ordinal: streams.ordinalOf(RECORDS.streams),
      ...streamsRecords(fresh),
    });
    const beganMs = nowMs();
    const bytes = journal.append({
      seq: sealer.nextSeq,
      rows,
      records: fresh.length === 0 ? [] : [named()],
      start,
      end,
      buses: blockLosses.take(),
      gaps: blockGaps.take(end.wallNs),
    });
    status.journaled(bytes, (nowMs() - beganMs) / 1000);
    this.#named += fresh.length;
    this.#saved = { rows: frames.count, end };
  }

  /**
   * Sealed and committed in one go; only then is the journal free. A kill before the commit leaves the
   * blocks, which become the recovered chunk of this seq; a kill after it leaves both, and recovery drops blocks
   * whose chunk is sealed.
   */
  #seal(slice: Slice): void {
    const { sealer, commits, custody, journal, status, nowMs } = this.#parts;
    // The journal has none of these records: each stays a file of the inbox until it is durable in this chunk.
    const chunk = sealer.seal(slice, this.#buses, custody.take(sealer.nextSeq));
    const sealedMs = nowMs();
    commits.commit([chunk]);
    custody.committed();
    status.sealed({ ...slice, seq: chunk.seq, bodyBytes: chunk.body.length });
    status.committed((nowMs() - sealedMs) / 1000);
    journal.free();
    this.#named = this.#parts.streams.size;
    this.#stored = this.#parts.streams.size;
    // The chunk took the losses and gaps that no block has named.
    this.#watch.blockLosses.take();
    this.#watch.blockGaps.take(slice.wallEndNs);
    this.#saved = undefined;
  }
}

/**
 * Up to when a block has everything. What was stamped behind that may still wait in the ring, the reader or the kernel,
 * and a kill takes it: the gap of the crash begins where the newest block ends.
 * @param sinceNs monotonic: how far the block before reached
 */
function reachOf(block: CaptureBlock, sinceNs: bigint): ClockReading {
  const { clock, readToNs } = block;
  let lagNs = readToNs === undefined ? behindNewest(block) : clock.monoNs - readToNs;
  const mostNs = clock.monoNs - sinceNs;
  // A stamp from before the clock was set says nothing about the time by this one.
  if (lagNs < 0n) lagNs = 0n;
  if (lagNs > mostNs) lagNs = mostNs;
  return {
    monoNs: clock.monoNs - lagNs,
    wallNs: clock.wallNs - lagNs,
    bootNs: clock.bootNs - lagNs,
  };
}

/**
 * Of a driver that does not say what it has read: behind its newest frame or event something may wait. On several buses
 * that is a guess: a frame of one may wait that is older than the newest of another.
 */
function behindNewest(block: CaptureBlock): bigint {
  const { clock, count, links } = block;
  const frameNs = count === 0 ? undefined : frameTimeNs(block, count - 1);
  const linkNs = links.at(-1)?.wallNs;
  const newestNs = (frameNs ?? 0n) > (linkNs ?? 0n) ? frameNs : linkNs;
  return clock.wallNs - (newestNs ?? clock.wallNs);
}
