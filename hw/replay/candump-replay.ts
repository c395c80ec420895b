/**
 * A frame source that reads a candump log, plain or gzip, at a multiple of real pace.
 * Every line is a frame, blank, or counted as skipped with its number and reason.
 */
import type { FrameSource, SkippedLines, SourceBlock } from '../../agent/ports.ts';
import { CandumpParser, MAX_CANDUMP_LINE_BYTES } from '../../core/candump.ts';
import { UserError } from '../../core/errors.ts';
import { FrameBlockBuilder } from '../../core/frame-block-builder.ts';
import type { ByteParts } from './byte-parts.ts';
import { LineCutter } from './line-cutter.ts';
import { openByteParts } from './log-file.ts';
import { Pace } from './pace.ts';
import { type ReplayClock, systemReplayClock } from './replay-clock.ts';
import { NOTHING_SKIPPED, SkipCount } from './skip-count.ts';

export type ReplayOptions = {
  readonly path: string;
  /** Multiple of real pace by the log's own time; 0: as fast as it can. */
  readonly speed: number;
  /** Lines up to this one are passed over and not counted: they were replayed before. Default 0. */
  readonly startAfterLine?: number;
  readonly clock?: ReplayClock;
};

export type Replay = FrameSource & {
  /** What was skipped after the last frame; complete once `read` has returned undefined. */
  readonly skippedAtEnd: SkippedLines;
};

/**
 * @throws UserError REPLAY_SPEED, REPLAY_START_LINE, REPLAY_NOT_FOUND, REPLAY_NOT_READABLE,
 * REPLAY_IS_DIRECTORY. Reading throws UserError REPLAY_EMPTY or REPLAY_LOG_SHORTER at the end and, after
 * the frames that came out before it, FormatError REPLAY_GZIP_TRUNCATED or REPLAY_GZIP_CORRUPT or
 * OperationalError REPLAY_READ_FAILED.
 */
export async function openReplay(options: ReplayOptions): Promise<Replay> {
  const { path, speed, startAfterLine = 0, clock = systemReplayClock } = options;
  if (!Number.isFinite(speed) || speed < 0) {
    throw new UserError('REPLAY_SPEED', `expected a speed of 0 or more, got ${speed}`);
  }
  if (!Number.isSafeInteger(startAfterLine) || startAfterLine < 0) {
    const sentence = `expected a line number of 0 or more, got ${startAfterLine}`;
    throw new UserError('REPLAY_START_LINE', sentence);
  }
  const parts = await openByteParts(path);
  return new CandumpReplay(parts, new Pace(speed, clock), path, startAfterLine);
}

class CandumpReplay implements Replay {
  readonly #parts: ByteParts;
  readonly #pace: Pace;
  readonly #path: string;
  readonly #startAfterLine: number;
  readonly #parser = new CandumpParser();
  readonly #lines = new LineCutter(MAX_CANDUMP_LINE_BYTES);
  readonly #skips = new SkipCount();
  #builder: FrameBlockBuilder | undefined;
  /** The line in hand did not fit the last block. */
  #lineWaits = false;
  #anyFrame = false;
  #ended = false;
  #closed = false;
  #failure: Error | undefined;
  #skippedAtEnd: SkippedLines = NOTHING_SKIPPED;
  #reading: Promise<unknown> = Promise.resolve();

  constructor(parts: ByteParts, pace: Pace, path: string, startAfterLine: number) {
    this.#parts = parts;
    this.#pace = pace;
    this.#path = path;
    this.#startAfterLine = startAfterLine;
  }

  get buses(): readonly string[] {
    return this.#parser.buses;
  }

  get skippedAtEnd(): SkippedLines {
    return this.#skippedAtEnd;
  }

  async read(maxFrames: number): Promise<SourceBlock | undefined> {
    const reading = this.#read(maxFrames);
    this.#reading = reading.catch(() => undefined);
    return await reading;
  }

  /** Ends a read that waits; it gives undefined. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#pace.stop();
    await this.#reading;
    await this.#parts.close();
  }

  async #read(maxFrames: number): Promise<SourceBlock | undefined> {
    if (!(maxFrames >= 1)) throw new RangeError(`expected at least 1 frame, got ${maxFrames}`);
    if (this.#closed) return undefined;
    const builder = this.#emptyBuilder(maxFrames);
    while (!this.#takeLines(builder) && !this.#ended) await this.#giveMore();
    if (builder.count === 0) return this.#end();
    this.#anyFrame = true;
    const block = builder.frames();
    const due = await this.#pace.untilDue(block);
    return due ? { ...block, skipped: this.#skips.takeBeforeFrame() } : undefined;
  }

  /** The block before was borrowed until now, so its memory is free. */
  #emptyBuilder(capacity: number): FrameBlockBuilder {
    if (this.#builder?.capacity !== capacity) {
      this.#builder = new FrameBlockBuilder(capacity, this.#pace.blockSpanNs);
    }
    this.#builder.clear();
    return this.#builder;
  }

  /** Parses the lines at hand into the block; true when the block takes no more. */
  #takeLines(builder: FrameBlockBuilder): boolean {
    while (this.#lineWaits || this.#nextLine()) {
      const { bytes, start, end, number } = this.#lines;
      this.#lineWaits = false;
      if (number <= this.#startAfterLine) continue;
      const outcome = this.#parser.parseLine(bytes, start, end, builder, number);
      if (outcome === 'block_full') {
        this.#lineWaits = true;
        return true;
      }
      if (outcome === 'frame') this.#skips.frameSeen();
      else if (outcome !== 'blank') {
        this.#skips.add(number, outcome);
        // They are told with the block whose first frame follows them.
        if (builder.count > 0) return true;
      }
    }
    return false;
  }

  #nextLine(): boolean {
    // After a failure the rest is half a line, and half a line may read as a whole frame.
    return this.#lines.next() || (this.#ended && this.#failure === undefined && this.#lines.last());
  }

  async #giveMore(): Promise<void> {
    try {
      const part = await this.#parts.next();
      if (part === undefined) this.#ended = true;
      else this.#lines.give(part);
    } catch (cause) {
      this.#ended = true;
      this.#failure = cause instanceof Error ? cause : new Error('read failed', { cause });
    }
  }

  #end(): undefined {
    const lines = this.#lines.number;
    this.#skippedAtEnd = this.#skips.afterFrame();
    if (this.#failure !== undefined) throw this.#failure;
    if (lines < this.#startAfterLine) {
      const sentence = `expected more than ${this.#startAfterLine} lines, got ${lines}: ${this.#path}`;
      throw new UserError('REPLAY_LOG_SHORTER', sentence);
    }
    if (!this.#anyFrame && this.#startAfterLine === 0) {
      throw new UserError('REPLAY_EMPTY', this.#emptySentence(lines));
    }
    return undefined;
  }

  #emptySentence(lines: number): string {
    const { count, firstLine, firstReason } = this.#skippedAtEnd;
    const why = count === 0 ? '' : `, first ${firstReason} in line ${firstLine}`;
    return `expected candump -L lines, got no frame in ${lines} lines${why}: ${this.#path}`;
  }
}
