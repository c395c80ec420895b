/** What one process of the agent said while it lived. */

/** Where a process says it: not its standard output, which Node makes one that does not wait for its reader. */
export const SAID_FD = 3;

/** When a run is killed: so long after it told so many watermarks; after none, since it began to capture. */
export type KillMoment = { readonly watermarks: number; readonly delayMs: number };

export type BusCounts = readonly number[];

export class RunRecord {
  readonly run: number;
  /** Nobody stopped it in order. */
  readonly isKilled: boolean;
  /** Frames of each bus that it called durable, at the last. */
  durable: BusCounts = [];
  /** Frames of each bus that had been sent to it, at the last, and when that was by the clock of its stamps. */
  sent: BusCounts = [];
  lastSentMs = 0;
  firstSentMs: number | undefined;
  isCapturing = false;
  watermarks = 0;
  /** How old the newest watermark was when the next one was told: the oldest that it ever is. */
  readonly agesMs: number[] = [];
  /** The same of the first one, which was captured before the agent recovered and began. */
  startAgeMs: number | undefined;
  /** Must stay empty. */
  readonly complaints: string[] = [];
  #capturedMs: number | undefined;

  constructor(run: number, isKilled: boolean) {
    this.run = run;
    this.isKilled = isKilled;
  }

  /** The moment has come, but for its delay. */
  isDue({ watermarks }: KillMoment): boolean {
    return this.isCapturing && this.watermarks >= watermarks;
  }

  hear(line: string): void {
    const [word = '', ...rest] = line.split(' ');
    const numbers = rest.map(Number);
    if (word === 'capturing') this.isCapturing = true;
    else if (word === 'durable') this.#watermark(numbers);
    else if (word === 'sent') this.#traffic(numbers);
    else this.complaints.push(`run ${this.run}: ${line}`);
  }

  #traffic([sentMs = 0, ...sent]: readonly number[]): void {
    this.firstSentMs ??= sentMs;
    this.lastSentMs = sentMs;
    this.sent = sent;
  }

  #watermark([capturedMs = 0, toldMs = 0, ...durable]: readonly number[]): void {
    if (this.watermarks === 1) this.startAgeMs = toldMs - (this.#capturedMs ?? toldMs);
    else if (this.#capturedMs !== undefined) this.agesMs.push(toldMs - this.#capturedMs);
    this.#capturedMs = capturedMs;
    this.durable = durable;
    this.watermarks += 1;
  }
}
