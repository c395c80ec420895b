/** A capture source that a test fills by hand, with the machine's clocks or its own. */
import type {
  CaptureBlock,
  CaptureLoss,
  CaptureSource,
  ClockReading,
  LinkEvent,
} from '../../../agent/ports.ts';
import type { Frame } from '../../../core/frame.ts';
import { frameBlock } from '../../../core/frame-block-builder.ts';

export class MemoryCapture implements CaptureSource {
  readonly buses;
  #frames: Frame[] = [];
  #losses: CaptureLoss[] = [];
  #links: LinkEvent[] = [];
  /** What a test adds to the clocks. */
  stepNs = 0n;
  suspendedNs = 0n;
  isClosed = false;
  /** What a driver says that it has read, given the clock of a take; without it, it says nothing. */
  readTo: ((monoNs: bigint) => bigint) | undefined;
  /** Of one block; no test has losses or link events where there are more. */
  maxFrames = Number.POSITIVE_INFINITY;

  constructor(names: readonly string[] = ['can0', 'can1']) {
    this.buses = names.map((bus) => ({
      bus,
      source: 'native' as const,
      lossAccounting: 'exact' as const,
      stampSource: 'kernel' as const,
      access: 'silent' as const,
    }));
  }

  now(): ClockReading {
    const monoNs = process.hrtime.bigint();
    const bootNs = monoNs + this.suspendedNs;
    // One reading of the wall clock for all: what Date gives is only exact to the millisecond.
    return { monoNs, bootNs, wallNs: ORIGIN_NS + bootNs + this.stepNs };
  }

  add(bus: number, id: number, data: Uint8Array): void {
    this.#frames.push({
      ...{ timeNs: this.now().wallNs, bus, id, flags: 0, length: data.length },
      ...{ rawDlc: 0, data, cursor: 0 },
    });
  }

  lose(bus: number, kernelDrops: number): void {
    this.#losses.push({ bus, kernelDrops, beforeRow: this.#frames.length });
  }

  link(bus: number, state: LinkEvent['state']): void {
    const { wallNs } = this.now();
    this.#links.push({ bus, state, wallNs, beforeRow: this.#frames.length });
  }

  take(): CaptureBlock {
    // A block ends where a stamp is too far from the first for one base.
    const [first] = this.#frames;
    const far = this.#frames.findIndex(({ timeNs }) => isFar(timeNs - (first?.timeNs ?? timeNs)));
    const frames = this.#frames.slice(0, Math.min(far < 0 ? this.maxFrames : far, this.maxFrames));
    const clock = this.now();
    const block = {
      ...frameBlock(frames),
      losses: this.#losses,
      links: this.#links,
      clock,
      ...(this.readTo === undefined ? {} : { readToNs: this.readTo(clock.monoNs) }),
      isFull: frames.length < this.#frames.length,
    };
    this.#frames = this.#frames.slice(frames.length);
    this.#losses = [];
    this.#links = [];
    return block;
  }

  async wait(timeoutMs: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, timeoutMs));
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}

const ORIGIN_NS = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();

function isFar(ns: bigint): boolean {
  return ns > 2n ** 50n || ns < -(2n ** 50n);
}
