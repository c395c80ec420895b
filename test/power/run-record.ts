/** What one process of the agent said while it lived. */

/** Where a process says it: not its standard output, which Node makes one that does not wait for its reader. */
export const SAID_FD = 3;

export type BusCounts = readonly number[];

export class RunRecord {
  readonly run: number;
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
  /** SEC 1, in hexadecimal. */
  deviceKey: string | undefined;
  /** Must stay empty. */
  readonly complaints: string[] = [];
  #capturedMs: number | undefined;

  constructor(run: number) {
    this.run = run;
  }

  hear(line: string): void {
    const [word = '', ...rest] = line.split(' ');
    const numbers = rest.map(Number);
    if (word === 'capturing') this.isCapturing = true;
    else if (word === 'durable') this.#watermark(numbers);
    else if (word === 'sent') this.#traffic(numbers);
    else if (word === 'device') this.deviceKey = rest[0];
    else this.complaints.push(`run ${this.run}: ${line}`);
  }

  #traffic([sentMs = 0, ...sent]: readonly number[]): void {
    this.firstSentMs ??= sentMs;
    this.lastSentMs = sentMs;
    this.sent = sent;
  }

  #watermark([capturedMs = 0, toldMs = 0, ...durable]: readonly number[]): void {
    if (this.#capturedMs !== undefined) this.agesMs.push(toldMs - this.#capturedMs);
    this.#capturedMs = capturedMs;
    this.durable = durable;
    this.watermarks += 1;
  }
}
