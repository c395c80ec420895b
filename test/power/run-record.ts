/** What one process of the agent said while it lived. */

/** Where a process says it: not its standard output, which Node makes one that does not wait for its reader. */
export const SAID_FD = 3;

/** When a run is killed: so long after it told so many watermarks; after none, since it began to capture. */
export type KillMoment = { readonly watermarks: number; readonly delayMs: number };

export type BusCounts = readonly number[];

/** Frames that were sent together: each was stamped between the two times, by the clock that these were read from. */
export type Burst = {
  /** Read before the first of them was sent. */
  readonly fromNs: bigint;
  /** Read after the last; none when the sender was killed before it. */
  toNs: bigint | undefined;
  /** Of each bus: how many had been sent before the burst, and when it is out. */
  readonly before: BusCounts;
  readonly after: BusCounts;
};

export class RunRecord {
  readonly run: number;
  /** Nobody stopped it in order. */
  readonly isKilled: boolean;
  /** Frames of each bus that it called durable, at the last. */
  durable: BusCounts = [];
  /** Everything that was sent to it, in order. */
  readonly bursts: Burst[] = [];
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

  /** Frames of each bus that had been sent to it, at the last. */
  get sent(): BusCounts {
    return this.bursts.findLast(({ toNs }) => toNs !== undefined)?.after ?? [];
  }

  get lastSentNs(): bigint {
    return this.bursts.findLast(({ toNs }) => toNs !== undefined)?.toNs ?? 0n;
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
    else if (word === 'sending') this.#sending(numbers);
    else if (word === 'sent') this.#sent(numbers);
    else this.complaints.push(`run ${this.run}: ${line}`);
  }

  /** Times in whole microseconds, which a number holds: rounded outwards. */
  #sending([us = 0, ...after]: readonly number[]): void {
    const before = this.bursts.at(-1)?.after ?? after.map(() => 0);
    this.bursts.push({ fromNs: BigInt(us) * 1000n, toNs: undefined, before, after });
  }

  #sent([us = 0]: readonly number[]): void {
    const burst = this.bursts.at(-1);
    if (burst !== undefined) burst.toNs = (BigInt(us) + 1n) * 1000n;
  }

  #watermark([capturedMs = 0, toldMs = 0, ...durable]: readonly number[]): void {
    if (this.watermarks === 1) this.startAgeMs = toldMs - (this.#capturedMs ?? toldMs);
    else if (this.#capturedMs !== undefined) this.agesMs.push(toldMs - this.#capturedMs);
    this.#capturedMs = capturedMs;
    this.durable = durable;
    this.watermarks += 1;
  }
}
