/** A capture whose clocks a test moves: a month passes in as many looks as it takes. */
import type { CaptureBlock, CaptureSource, ClockReading } from '../../../agent/ports.ts';
import { frameBlock } from '../../../core/frame-block-builder.ts';

const START_NS = 1_795_000_000_000_000_000n;

export class VirtualCapture implements CaptureSource {
  readonly buses = [
    {
      bus: 'can0',
      source: 'native' as const,
      lossAccounting: 'exact' as const,
      stampSource: 'kernel' as const,
      access: 'silent' as const,
    },
  ];
  readonly #stepNs: bigint;
  readonly #steps: number;
  #at = 0n;
  #looks = 0;
  #ended: () => void = () => undefined;
  /** Resolves when the last step was taken. */
  readonly ended = new Promise<void>((resolve) => {
    this.#ended = resolve;
  });

  /**
   * @param steps looks, each `stepMs` after the one before, each with one frame
   * @param startsAtNs behind the time at which captures begin
   */
  constructor(stepMs: number, steps: number, startsAtNs = 0n) {
    this.#stepNs = BigInt(stepMs) * 1_000_000n;
    this.#steps = steps;
    this.#at = startsAtNs;
  }

  take(): CaptureBlock {
    const goesOn = this.#looks < this.#steps;
    if (goesOn) {
      this.#looks += 1;
      this.#at += this.#stepNs;
    } else this.#ended();
    const data = Uint8Array.of(this.#looks & 255, (this.#looks >> 8) & 255);
    const clock = this.now();
    const frame = { timeNs: clock.wallNs, bus: 0, id: 0x123, flags: 0, length: 2 };
    return {
      ...frameBlock(goesOn ? [{ ...frame, rawDlc: 0, data, cursor: 0 }] : []),
      clock,
      losses: [],
      links: [],
      isFull: false,
    };
  }

  /** Lets the event loop turn, so that the uplink has its chance. */
  async wait(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  now(): ClockReading {
    return { monoNs: this.#at, bootNs: this.#at, wallNs: START_NS + this.#at };
  }
}
