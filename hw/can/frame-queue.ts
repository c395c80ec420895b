/**
 * Frames and link events of a live capture on the event loop, in columns, until they are taken.
 * Bounded: what finds no room is counted as lost.
 */
import type { CaptureBlock, CaptureLoss, LinkEvent, LinkState } from '../../agent/ports.ts';
import { FrameBlockBuilder } from '../../core/frame-block-builder.ts';

/** One is being read, one is being filled, and two are room. */
const PARTS = 4;
/** Columns and data of a classic frame. */
const FRAME_BYTES = 40;
const MIN_FRAMES = 64;

type Part = {
  readonly builder: FrameBlockBuilder;
  losses: CaptureLoss[];
  links: LinkEvent[];
};

export class FrameQueue {
  /** Empty, ready to be filled. */
  readonly #free: Part[];
  /** Filled, oldest first. */
  readonly #full: Part[] = [];
  #filling: Part;
  /** Borrowed by the reader until it takes the next one. */
  #read: Part | undefined;
  /** By bus: lost since the last frame that found room. */
  readonly #lost = new Map<number, number>();

  /** @param bytes for all of it, about */
  constructor(bytes: number) {
    const frames = Math.max(MIN_FRAMES, Math.floor(bytes / PARTS / FRAME_BYTES));
    const part = (): Part => ({ builder: new FrameBlockBuilder(frames), losses: [], links: [] });
    this.#filling = part();
    this.#free = Array.from({ length: PARTS - 1 }, part);
  }

  /** More than half is used, or a link event waits. */
  get isUrgent(): boolean {
    const { builder, links } = this.#filling;
    return this.#full.length > 0 || links.length > 0 || builder.count > builder.capacity / 2;
  }

  /** @param data is copied */
  push(
    bus: number,
    [seconds, nanoseconds]: readonly [seconds: number, nanoseconds: number],
    id: number,
    flags: number,
    data: Uint8Array,
  ): void {
    // A part ends when it is full, and where a stamp lies too far from its first: the clock was set.
    const isTaken =
      this.#append(bus, seconds, nanoseconds, id, flags, data) ||
      (this.#next() && this.#append(bus, seconds, nanoseconds, id, flags, data));
    if (!isTaken) this.#lost.set(bus, (this.#lost.get(bus) ?? 0) + 1);
  }

  pushLink(bus: number, state: LinkState, wallNs: bigint): void {
    const { builder, links } = this.#filling;
    links.push({ bus, beforeRow: builder.count, wallNs, state });
  }

  /** The oldest part, whole. Borrowed until the next call. */
  take(): Omit<CaptureBlock, 'clock'> {
    if (this.#read !== undefined) {
      this.#read.builder.clear();
      this.#free.push({ builder: this.#read.builder, losses: [], links: [] });
      this.#read = undefined;
    }
    if (this.#full.length === 0) this.#tellLosses();
    if (this.#full.length === 0 && !this.#isEmpty()) this.#next();
    const part = this.#full.shift();
    this.#read = part;
    const { builder, losses, links } = part ?? this.#filling;
    return { ...builder.frames(), losses, links, isFull: part !== undefined && !this.#isEmpty() };
  }

  #isEmpty(): boolean {
    const { builder, losses, links } = this.#filling;
    return this.#full.length === 0 && builder.count + losses.length + links.length === 0;
  }

  #append(
    bus: number,
    seconds: number,
    nanoseconds: number,
    id: number,
    flags: number,
    data: Uint8Array,
  ): boolean {
    const { builder } = this.#filling;
    builder.reserveData();
    builder.data.set(data, builder.dataLength);
    const row = builder.count;
    if (!builder.push(seconds, nanoseconds, bus, id, flags, data.length, 0, 0)) return false;
    this.#tellLosses(row);
    return true;
  }

  #tellLosses(beforeRow = this.#filling.builder.count): void {
    for (const [bus, kernelDrops] of this.#lost) {
      this.#filling.losses.push({ bus, kernelDrops, beforeRow });
    }
    this.#lost.clear();
  }

  /** @returns false when there is no empty part */
  #next(): boolean {
    const next = this.#free.pop();
    if (next === undefined) return false;
    this.#full.push(this.#filling);
    this.#filling = next;
    return true;
  }
}
