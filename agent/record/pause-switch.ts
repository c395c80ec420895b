/** Whether recording is paused now, by the file that says so. Implements spec/configuration.md, "Pause". */
import { OperationalError } from '../../core/errors.ts';
import type { Pause, PauseState } from '../ports.ts';
import { endPause, readPause } from './pause-file.ts';

const LOOK_EVERY_MS = 250;

export type PauseSwitchParts = {
  readonly dataDir: string;
  /** Wall clock, ms since 1970. */
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
};

export class PauseSwitch implements PauseState {
  readonly #parts: PauseSwitchParts;
  #pause: Pause | undefined;
  #lookedMs: number | undefined;
  /** The pause that is over, and could not be removed. */
  #over: string | undefined;
  /** When this process first saw the pause, by the monotonic clock. */
  #seen: { readonly name: string; readonly ms: number } | undefined;

  constructor(parts: PauseSwitchParts) {
    this.#parts = parts;
  }

  current(): Pause | undefined {
    const nowMs = this.#parts.monotonicMs();
    if (this.#lookedMs === undefined || nowMs - this.#lookedMs >= LOOK_EVERY_MS) {
      this.#lookedMs = nowMs;
      this.#pause = this.#look(nowMs);
    }
    return this.#pause;
  }

  #look(monotonicMs: number): Pause | undefined {
    const pause = readPause(this.#parts.dataDir);
    if (pause === undefined) return undefined;
    const name = `${pause.sinceMs} ${pause.untilMs}`;
    if (this.#over === name) return undefined;
    if (this.#seen?.name !== name) this.#seen = { name, ms: monotonicMs };
    if (!this.#isOver(pause, monotonicMs - this.#seen.ms)) return pause;
    this.#over = name;
    try {
      // So that a clock that is set back does not begin it again.
      endPause(this.#parts.dataDir);
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
    }
    return undefined;
  }

  /** By the wall clock, or since this process has seen all of it: a clock that was never set must not make it endless. */
  #isOver({ sinceMs, untilMs }: Pause, seenForMs: number): boolean {
    if (untilMs === undefined) return false;
    return this.#parts.nowMs() >= untilMs || seenForMs >= untilMs - sinceMs;
  }
}
