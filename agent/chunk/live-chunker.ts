/**
 * Decides where a chunk of a live capture ends: by the monotonic clock, at once when the wall clock is set, and late
 * while every bus sleeps. Implements spec/configuration.md, "Where a chunk of a live capture ends".
 */
import type { BusCounters, ChunkHeader, Clock, Gap } from '../../core/chunk-header.ts';
import type { FrameBlock } from '../../core/frame.ts';
import { MAX_LEAF_COUNT } from '../../core/leaf.ts';
import { MAX_OFFSET_NS } from '../../core/raw-shape.ts';
import type { ClockStep } from '../../core/state-record.ts';
import type { CaptureBlock, ClockReading } from '../ports.ts';
import { ChunkBuffer } from './chunk-buffer.ts';
import { NOTHING_SKIPPED, type Slice } from './chunker.ts';

/** What a chunk says beside its frames, taken when it ends. */
export type ChunkFacts = {
  takeGaps(toNs: bigint): readonly Gap[];
  takeCounters(): readonly BusCounters[];
  /** The wall clock was set: what goes on from here is told by the new time. */
  restartGaps(wallNs: bigint): void;
  clock(): Pick<Clock, 'source' | 'quality'>;
  /** The driver has paused the recording. */
  isPaused(): boolean;
  /** Nothing is to be told that cannot wait while the buses sleep. */
  isQuiet(): boolean;
};

export type LiveChunkerOptions = {
  readonly chunkMs: number;
  /** The most that a chunk spans while the buses sleep. */
  readonly batchMs: number;
  readonly start: ClockReading;
};

export class LiveChunker {
  readonly #chunkNs: bigint;
  readonly #sleepNs: bigint;
  readonly #facts: ChunkFacts;
  readonly #onChunk: (slice: Slice) => void;
  readonly #buffer = new ChunkBuffer();
  #start: ClockReading;
  /** Of the block before: up to here every frame is in the buffer. */
  #last: ClockReading;
  #clockSteps: readonly ClockStep[] = [];

  /** @param onChunk called once for each chunk, before the next frame is looked at */
  constructor(options: LiveChunkerOptions, facts: ChunkFacts, onChunk: (slice: Slice) => void) {
    this.#chunkNs = BigInt(options.chunkMs) * 1_000_000n;
    this.#sleepNs = BigInt(options.batchMs) * 1_000_000n;
    this.#facts = facts;
    this.#onChunk = onChunk;
    this.#start = options.start;
    this.#last = options.start;
  }

  /** Of the chunk being filled. */
  get frames(): FrameBlock {
    return this.#buffer.frames(this.#start.wallNs);
  }

  /** Of the chunk being filled; the wall clock in it is the base of its stamps. */
  get start(): ClockReading {
    return this.#start;
  }

  /** Before anything of a block is looked at: a chunk of sleep ends where the buses were last found silent. */
  wake(frameCount: number): void {
    const isAsleep = this.#buffer.count === 0 && this.#age(this.#last) >= this.#chunkNs;
    if (frameCount > 0 && isAsleep) this.#close(this.#last);
  }

  /** @param stepNs by how much the wall clock was set since the block before */
  push(block: CaptureBlock, stepNs: bigint): void {
    const { clock } = block;
    let isNewTime = false;
    for (let from = 0; from < block.count; ) {
      const shiftNs = Number(block.baseNs - this.#start.wallNs);
      const to = this.#endOfRun(block, from, shiftNs);
      if (to > from) this.#buffer.append(block, from, to, shiftNs);
      else if (this.#buffer.count === MAX_LEAF_COUNT) this.#close(clock);
      else {
        // Days away from the base: the clock was set in between, and this frame is stamped by the new one.
        this.#startAnew(clock, block.baseNs + BigInt(block.offsetNs[from] ?? 0), stepNs);
        isNewTime = true;
      }
      from = to;
    }
    if (stepNs !== 0n && !isNewTime) this.#startAnew(clock, clock.wallNs, stepNs);
    this.#last = clock;
    if (!block.isFull && this.#isDue(clock)) this.#close(clock);
  }

  /** Behind the frames from `from` on that the chunk can take. */
  #endOfRun(block: CaptureBlock, from: number, shiftNs: number): number {
    const end = Math.min(block.count, from + MAX_LEAF_COUNT - this.#buffer.count);
    for (let i = from; i < end; i++) {
      const offsetNs = shiftNs + (block.offsetNs[i] ?? 0);
      if (offsetNs >= MAX_OFFSET_NS || offsetNs <= -MAX_OFFSET_NS) return i;
    }
    return end;
  }

  /** Ends the chunk at the last block: its room in the journal is used up. */
  closeEarly(): void {
    this.#close(this.#last);
  }

  /** Ends the session's last chunk at the last block, with frames or without. */
  end(): void {
    this.#close(this.#last, 'shutdown');
  }

  #silentState(): ChunkHeader['state'] {
    return this.#facts.isPaused() ? 'paused_by_owner' : 'parked';
  }

  #age(clock: ClockReading): bigint {
    return clock.monoNs - this.#start.monoNs;
  }

  #isDue(clock: ClockReading): boolean {
    const age = this.#age(clock);
    if (age < this.#chunkNs) return false;
    return this.#buffer.count > 0 || !this.#facts.isQuiet() || age >= this.#sleepNs;
  }

  /** The chunk ends by the old time, and the next one starts by the new. */
  #startAnew(clock: ClockReading, wallNs: bigint, stepNs: bigint): void {
    this.#close({ ...clock, wallNs: this.#start.wallNs + this.#age(clock) });
    this.#start = { ...clock, wallNs };
    // Frames of the old time may still have waited; only what the clock itself did is a step.
    if (stepNs !== 0n) this.#clockSteps = [{ monoNs: clock.monoNs, stepNs }];
    this.#facts.restartGaps(wallNs);
  }

  #close(at: ClockReading, state: ChunkHeader['state'] = 'recording'): void {
    const steps = this.#clockSteps.length;
    this.#onChunk({
      frames: this.#buffer.frames(this.#start.wallNs),
      wallStartNs: this.#start.wallNs,
      wallEndNs: at.wallNs,
      monoStartNs: this.#start.monoNs,
      monoEndNs: at.monoNs,
      clockSteps: this.#clockSteps,
      clock: { ...this.#facts.clock(), steps },
      buses: this.#facts.takeCounters(),
      gaps: this.#facts.takeGaps(at.wallNs),
      skipped: NOTHING_SKIPPED,
      state: state === 'recording' && this.#buffer.count === 0 ? this.#silentState() : state,
      cursor: 0,
    });
    this.#buffer.clear();
    this.#start = at;
    this.#clockSteps = [];
  }
}
