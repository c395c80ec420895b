/**
 * Decides where a chunk ends, by the stamps of the frames alone: a replay at any speed cuts alike.
 * Implements spec/configuration.md, "Where a chunk of a replay ends".
 */
import type { BusCounters, ChunkHeader, Clock, Gap, GapCause } from '../../core/chunk-header.ts';
import type { FrameBlock } from '../../core/frame.ts';
import { MAX_LEAF_COUNT } from '../../core/leaf.ts';
import { MAX_OFFSET_NS } from '../../core/raw-shape.ts';
import type { ClockStep } from '../../core/state-record.ts';
import type { SkippedLines, SourceBlock } from '../ports.ts';
import { ChunkBuffer } from './chunk-buffer.ts';

/** One chunk's frames and times; `frames` is borrowed until the callback returns. */
export type Slice = {
  readonly frames: FrameBlock;
  readonly wallStartNs: bigint;
  readonly wallEndNs: bigint;
  readonly monoStartNs: bigint;
  readonly monoEndNs: bigint;
  /** One for each bus of the session, in its order. */
  readonly buses: readonly BusCounters[];
  readonly clock: Clock;
  /** In a replay: a jump of the stamps back by more than a chunk, or by days. */
  readonly clockSteps: readonly ClockStep[];
  readonly gaps: readonly Gap[];
  readonly skipped: SkippedLines;
  /** `shutdown` in the last chunk of a session that ends in order. */
  readonly state: ChunkHeader['state'];
  /** Where a replay goes on after this chunk. */
  readonly cursor: number;
};

/** How the session before ended, when there was one. */
export type SessionBefore = { readonly wallEndNs: bigint; readonly cause: GapCause };

export const NOTHING_SKIPPED: SkippedLines = { count: 0, firstLine: 0, firstReason: '' };

export class Chunker {
  readonly #durationNs: number;
  readonly #buses: readonly BusCounters[];
  readonly #onChunk: (slice: Slice) => void;
  readonly #before: SessionBefore | undefined;
  readonly #buffer = new ChunkBuffer();
  #baseNs = 0n;
  /** Stamps have no monotonic clock beside them in a log: it is the log's time with its steps taken out. */
  #monoStartNs: bigint | undefined;
  #latestOffsetNs = 0;
  #clockSteps: readonly ClockStep[] = [];
  #gaps: readonly Gap[] = [];
  #skipped = NOTHING_SKIPPED;

  /**
   * @param buses of the session
   * @param onChunk called once for each chunk, before the next frame is looked at
   */
  constructor(
    durationMs: number,
    buses: readonly string[],
    onChunk: (slice: Slice) => void,
    before: SessionBefore | undefined = undefined,
  ) {
    this.#durationNs = durationMs * 1e6;
    this.#buses = buses.map(noLoss);
    this.#onChunk = onChunk;
    this.#before = before;
  }

  push(block: SourceBlock): void {
    for (let from = 0; from < block.count; ) {
      const inBlock = block.offsetNs[from] ?? 0;
      const offset = Number(block.baseNs - this.#baseNs) + inBlock;
      if (this.#buffer.count === 0 || !this.#belongs(offset) || this.#room === 0) {
        this.#begin(block.baseNs + BigInt(inBlock), offset);
      }
      // With the chunk of the frame that follows them: a replay that goes on behind the chunk before
      // meets these lines again, and they are counted once.
      if (from === 0) this.#addSkipped(block.skipped);
      const shift = Number(block.baseNs - this.#baseNs);
      const to = this.#endOfRun(block, from, shift);
      this.#buffer.append(block, from, to, shift);
      from = to;
    }
  }

  /** Behind the frame at `from`, which is in the chunk, and all that follow and belong to it, too. */
  #endOfRun(block: SourceBlock, from: number, shift: number): number {
    const end = Math.min(block.count, from + this.#room);
    for (let i = from; i < end; i++) {
      const offset = shift + (block.offsetNs[i] ?? 0);
      if (i > from && !this.#belongs(offset)) return i;
      if (offset > this.#latestOffsetNs) this.#latestOffsetNs = offset;
    }
    return end;
  }

  /** Seals what is left; a chunk without frames is none. */
  end(skipped: SkippedLines): void {
    this.#addSkipped(skipped);
    if (this.#buffer.count > 0) this.#seal(this.#latestNs(), 'shutdown');
  }

  #belongs(offset: number): boolean {
    return offset < this.#durationNs && offset >= -this.#durationNs;
  }

  get #room(): number {
    return MAX_LEAF_COUNT - this.#buffer.count;
  }

  #latestNs(): bigint {
    return this.#baseNs + BigInt(this.#latestOffsetNs);
  }

  /** Ends the chunk before, if there is one, and starts one that holds a frame of this stamp. */
  #begin(stampNs: bigint, offset: number): void {
    if (this.#monoStartNs === undefined) this.#beginFirst(stampNs);
    else if (offset < -this.#durationNs || offset >= MAX_OFFSET_NS) this.#beginAfterStep(stampNs);
    else if (offset < this.#durationNs) this.#beginAfterFull(stampNs);
    else this.#beginLater(stampNs, offset);
  }

  #beginFirst(stampNs: bigint): void {
    this.#baseNs = stampNs;
    this.#monoStartNs = stampNs;
    if (this.#before === undefined) return;
    const { wallEndNs, cause } = this.#before;
    this.#gaps = [{ bus: '', fromNs: wallEndNs, toNs: stampNs, cause }];
  }

  /** Not time passing but a clock set anew: the next chunk starts where the clock now stands. */
  #beginAfterStep(stampNs: bigint): void {
    const endNs = this.#latestNs();
    this.#seal(endNs);
    this.#clockSteps = [{ monoNs: this.#monoStartNs ?? 0n, stepNs: stampNs - endNs }];
    this.#baseNs = stampNs;
  }

  /** Full, not over: frames before the base stay before it in the next chunk, too. */
  #beginAfterFull(stampNs: bigint): void {
    const endNs = stampNs > this.#baseNs ? stampNs : this.#baseNs;
    this.#seal(endNs);
    this.#baseNs = endNs;
  }

  /** The next chunk starts where this one was to end, or after a longer silence at the frame that ends it. */
  #beginLater(stampNs: bigint, offset: number): void {
    const plannedEndNs = this.#baseNs + BigInt(this.#durationNs);
    this.#seal(plannedEndNs);
    this.#baseNs = plannedEndNs;
    if (offset - this.#durationNs < this.#durationNs) return;
    // A log does not say why nothing was recorded here.
    this.#gaps = [{ bus: '', fromNs: plannedEndNs, toNs: stampNs, cause: 'unknown' }];
    this.#monoStartNs = (this.#monoStartNs ?? 0n) + (stampNs - plannedEndNs);
    this.#baseNs = stampNs;
  }

  #seal(wallEndNs: bigint, state: Slice['state'] = 'recording'): void {
    const monoStartNs = this.#monoStartNs ?? 0n;
    const monoEndNs = monoStartNs + (wallEndNs - this.#baseNs);
    const frames = this.#buffer.frames(this.#baseNs);
    this.#onChunk({
      frames,
      wallStartNs: this.#baseNs,
      wallEndNs,
      monoStartNs,
      monoEndNs,
      buses: this.#buses,
      clock: { source: 'replay', steps: this.#clockSteps.length, quality: undefined },
      clockSteps: this.#clockSteps,
      gaps: this.#gaps,
      skipped: this.#skipped,
      state,
      cursor: frames.cursor[frames.count - 1] ?? 0,
    });
    this.#buffer.clear();
    this.#monoStartNs = monoEndNs;
    this.#latestOffsetNs = 0;
    this.#clockSteps = [];
    this.#gaps = [];
    this.#skipped = NOTHING_SKIPPED;
  }

  #addSkipped(skipped: SkippedLines): void {
    if (skipped.count === 0) return;
    this.#skipped =
      this.#skipped.count === 0
        ? skipped
        : { ...this.#skipped, count: this.#skipped.count + skipped.count };
  }
}

/** A log file drops nothing; whether its maker did is not known, and the session record says so. */
function noLoss(bus: string): BusCounters {
  return { bus, kernelDrops: 0, controllerOverruns: 0, busOffs: 0 };
}
