/**
 * Counts the lines of a log that gave no frame: what was skipped must be told, never dropped in silence.
 */
import type { SkippedLines } from '../../agent/ports.ts';
import type { CandumpReason } from '../../core/candump-reason.ts';

export const NOTHING_SKIPPED: SkippedLines = { count: 0, firstLine: 0, firstReason: '' };

/**
 * Lines behind the last frame are kept apart: a replay that resumes behind that frame meets them again, and
 * nothing may be counted twice.
 */
export class SkipCount {
  #before: SkippedLines = NOTHING_SKIPPED;
  #after: SkippedLines = NOTHING_SKIPPED;

  add(line: number, reason: CandumpReason): void {
    this.#after = sum(this.#after, { count: 1, firstLine: line, firstReason: reason });
  }

  frameSeen(): void {
    if (this.#after.count === 0) return;
    this.#before = sum(this.#before, this.#after);
    this.#after = NOTHING_SKIPPED;
  }

  /** What was skipped before the last frame, once. */
  takeBeforeFrame(): SkippedLines {
    const taken = this.#before;
    this.#before = NOTHING_SKIPPED;
    return taken;
  }

  /** What was skipped behind the last frame. */
  afterFrame(): SkippedLines {
    return this.#after;
  }
}

function sum(earlier: SkippedLines, later: SkippedLines): SkippedLines {
  if (earlier.count === 0) return later;
  return { ...earlier, count: earlier.count + later.count };
}
