/**
 * Reads out of each capture block everything that is not a frame: losses, outages, clock changes.
 * Implements spec/chunk-header.md, "Losses" and "Gaps".
 */
import { CAN_ERR_FLAG, frameTimeNs } from '../../core/frame.ts';
import type { CaptureBlock, ClockReading } from '../ports.ts';
import { BusOutages } from './bus-outages.ts';
import { type ClockChange, ClockWatch } from './clock-watch.ts';
import { GapList } from './gap-list.ts';
import { LossCounters } from './loss-counters.ts';

/** linux/can/error.h: classes of an error frame's id, and the bit of its second data byte. */
const CAN_ERR_CRTL = 0x004;
const CAN_ERR_BUSOFF = 0x040;
const CAN_ERR_RESTARTED = 0x100;
const CAN_ERR_CRTL_RX_OVERFLOW = 0x01;

export type WatchOptions = {
  readonly buses: readonly string[];
  readonly start: ClockReading;
  /** A bus that is up and silent for so long sleeps. */
  readonly idleAfterMs: number;
};

export class CaptureWatch {
  readonly chunkGaps: GapList;
  readonly blockGaps: GapList;
  readonly chunkLosses: LossCounters;
  readonly blockLosses: LossCounters;
  readonly #buses: readonly string[];
  readonly #clock: ClockWatch;
  readonly #outages: BusOutages;
  /** Buses whose frames the outages have heard of since the last event on them. */
  readonly #told: Uint8Array;
  /** Stamp of the newest frame of each bus: a loss lies after it. */
  readonly #newestNs: (bigint | undefined)[];

  constructor({ buses, start, idleAfterMs }: WatchOptions) {
    this.#buses = buses;
    this.#clock = new ClockWatch(start);
    this.chunkGaps = new GapList(start.wallNs);
    this.blockGaps = new GapList(start.wallNs);
    this.chunkLosses = new LossCounters(buses);
    this.blockLosses = new LossCounters(buses);
    this.#outages = new BusOutages(buses, start, idleAfterMs, [this.chunkGaps, this.blockGaps]);
    this.#told = new Uint8Array(buses.length);
    this.#newestNs = buses.map(() => undefined);
  }

  /**
   * Call it for each block in order, before its frames are cut into chunks.
   * @param isPaused the frames of the block were left out: nothing is said of a bus that none came from
   */
  observe(block: CaptureBlock, isPaused = false): ClockChange {
    const change = this.#clock.read(block.clock);
    const { wallNs, monoNs } = block.clock;
    if (change.suspendedNs > 0n) {
      const fromNs = wallNs - change.suspendedNs;
      const gap = { bus: '', fromNs, toNs: wallNs, cause: 'suspended' } as const;
      for (const list of [this.chunkGaps, this.blockGaps]) list.add(gap);
    }
    if (change.stepNs !== 0n) this.#outages.clockSet(change.stepNs);
    this.#readLosses(block);
    this.#readFrames(block);
    if (isPaused) this.#outages.unheard(block.clock);
    else this.#outages.tick(monoNs);
    return change;
  }

  #readLosses(block: CaptureBlock): void {
    for (const { bus, kernelDrops, beforeRow } of block.losses) {
      const name = this.#buses[bus] ?? '';
      this.chunkLosses.add(bus, 'kernelDrops', kernelDrops);
      this.blockLosses.add(bus, 'kernelDrops', kernelDrops);
      // Lost between the frame before and the frame that told; without one of them, up to now.
      const toNs = stampAt(block, bus, beforeRow) ?? block.clock.wallNs;
      const fromNs = stampBefore(block, bus, beforeRow) ?? this.#newestNs[bus] ?? toNs;
      // By stamps: what is read late was lost before a chunk that has ended since.
      const gap = { bus: name, fromNs, toNs, cause: 'overflow' } as const;
      for (const list of [this.chunkGaps, this.blockGaps]) list.addEarlier(gap);
    }
  }

  /** Frames and link events in the order in which they came: a frame before a bus-off does not end it. */
  #readFrames(block: CaptureBlock): void {
    const { count, bus, id, links, clock } = block;
    const toldFrames = this.#told.fill(0);
    let nextLink = 0;
    for (let i = 0; i <= count; i++) {
      for (
        let link = links[nextLink];
        link !== undefined && (link.beforeRow <= i || i === count);
      ) {
        this.#outages.link(link.bus, link.state, link.wallNs, clock.monoNs);
        toldFrames[link.bus] = 0;
        nextLink += 1;
        link = links[nextLink];
      }
      if (i === count) break;
      const of = bus[i] ?? 0;
      // An error frame is the controller's word, not traffic: a bus that is off has some.
      if (((id[i] ?? 0) & CAN_ERR_FLAG) !== 0) {
        this.#readErrorFrame(block, i, of);
        toldFrames[of] = 0;
      } else if (toldFrames[of] === 0) {
        toldFrames[of] = 1;
        this.#outages.frames(of, frameTimeNs(block, i), clock);
      }
    }
    this.#buses.forEach((_, of) => {
      this.#newestNs[of] = stampBefore(block, of, count) ?? this.#newestNs[of];
    });
  }

  #readErrorFrame(block: CaptureBlock, row: number, bus: number): void {
    const errors = block.id[row] ?? 0;
    const atNs = frameTimeNs(block, row);
    if ((errors & CAN_ERR_BUSOFF) !== 0) {
      this.chunkLosses.add(bus, 'busOffs', 1);
      this.blockLosses.add(bus, 'busOffs', 1);
      this.#outages.busOff(bus, atNs);
    }
    if ((errors & CAN_ERR_RESTARTED) !== 0) this.#outages.restarted(bus, atNs);
    const controller = block.data[(block.dataAt[row] ?? 0) + 1] ?? 0;
    if ((errors & CAN_ERR_CRTL) !== 0 && (controller & CAN_ERR_CRTL_RX_OVERFLOW) !== 0) {
      // How many frames the controller lost it does not say: one report, at least one frame.
      this.chunkLosses.add(bus, 'controllerOverruns', 1);
      this.blockLosses.add(bus, 'controllerOverruns', 1);
    }
  }
}

/** Stamp of the first frame of the bus from `row` on. */
function stampAt(block: CaptureBlock, bus: number, row: number): bigint | undefined {
  for (let i = row; i < block.count; i++) if (block.bus[i] === bus) return frameTimeNs(block, i);
  return undefined;
}

function stampBefore(block: CaptureBlock, bus: number, row: number): bigint | undefined {
  for (let i = row - 1; i >= 0; i--) if (block.bus[i] === bus) return frameTimeNs(block, i);
  return undefined;
}
