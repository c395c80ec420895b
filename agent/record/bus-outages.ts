/**
 * Why a bus has no frames: its interface is missing or down, its controller is off the bus, or it sleeps.
 * Turns what the capture tells into gaps. Implements spec/chunk-header.md, "Gaps".
 */
import type { GapCause } from '../../core/chunk-header.ts';
import type { LinkState } from '../ports.ts';
import type { GapList } from './gap-list.ts';

type Bus = {
  readonly name: string;
  link: LinkState;
  /** Wall clock: when the bus last had a frame, or could begin to have some. */
  lastNs: bigint;
  /** Monotonic, of the same moment: silence is measured on a clock that is never set. */
  lastMonoNs: bigint;
  cause: GapCause | undefined;
};

/** An outage keeps the strongest cause that it had: what is unplugged is down for a moment first. */
const STRENGTH: Partial<Record<GapCause, number>> = {
  bus_idle: 0,
  bus_off: 1,
  interface_down: 2,
  interface_missing: 3,
};

const CAUSE: Record<Exclude<LinkState, 'up'>, GapCause> = {
  missing: 'interface_missing',
  down: 'interface_down',
  bus_off: 'bus_off',
};

export class BusOutages {
  readonly #buses: readonly Bus[];
  readonly #idleAfterNs: bigint;
  /** One for the journal, one for the chunk. */
  readonly #lists: readonly GapList[];

  constructor(
    names: readonly string[],
    start: { readonly wallNs: bigint; readonly monoNs: bigint },
    idleAfterMs: number,
    lists: readonly GapList[],
  ) {
    this.#idleAfterNs = BigInt(idleAfterMs) * 1_000_000n;
    this.#lists = lists;
    this.#buses = names.map((name) => ({
      name,
      link: 'up',
      lastNs: start.wallNs,
      lastMonoNs: start.monoNs,
      cause: undefined,
    }));
  }

  /** @param monoNs of the same moment, or a little later */
  link(index: number, state: LinkState, wallNs: bigint, monoNs: bigint): void {
    const bus = this.#buses[index];
    if (bus === undefined || bus.link === state) return;
    bus.link = state;
    // A bus that comes up has not been silent yet.
    bus.lastMonoNs = monoNs;
    if (state === 'up') this.#end(bus, wallNs);
    else this.#begin(bus, CAUSE[state], wallNs);
  }

  /** What an error frame says; a controller without its own state in the link tells it only so. */
  busOff(index: number, wallNs: bigint): void {
    const bus = this.#buses[index];
    if (bus !== undefined) this.#begin(bus, 'bus_off', wallNs);
  }

  restarted(index: number, wallNs: bigint): void {
    const bus = this.#buses[index];
    if (bus?.cause === 'bus_off') this.#end(bus, wallNs);
  }

  /** Frames came; a bus that has frames is neither asleep nor off, whatever was told before. */
  frames(
    index: number,
    firstNs: bigint,
    now: { readonly wallNs: bigint; readonly monoNs: bigint },
  ): void {
    const bus = this.#buses[index];
    if (bus === undefined) return;
    if (bus.cause === 'bus_idle' || bus.cause === 'bus_off') this.#end(bus, firstNs);
    bus.lastNs = now.wallNs;
    bus.lastMonoNs = now.monoNs;
  }

  /** A bus that is up and has long had no frames sleeps, since its last frame. */
  tick(monoNs: bigint): void {
    for (const bus of this.#buses) {
      if (bus.cause !== undefined || bus.link !== 'up') continue;
      if (monoNs - bus.lastMonoNs >= this.#idleAfterNs) this.#begin(bus, 'bus_idle', bus.lastNs);
    }
  }

  /** Nobody listened up to now: whether a bus slept, or its controller was back, is not known. */
  unheard(now: { readonly wallNs: bigint; readonly monoNs: bigint }): void {
    for (const bus of this.#buses) {
      const isGuess = bus.cause === 'bus_idle' || (bus.cause === 'bus_off' && bus.link === 'up');
      if (isGuess) this.#end(bus, now.wallNs);
      bus.lastNs = now.wallNs;
      bus.lastMonoNs = now.monoNs;
    }
  }

  /** The wall clock was set by so much: moments before it are told by the new time. */
  clockSet(stepNs: bigint): void {
    for (const bus of this.#buses) bus.lastNs += stepNs;
  }

  #begin(bus: Bus, cause: GapCause, fromNs: bigint): void {
    const isStronger = (STRENGTH[cause] ?? 0) > (STRENGTH[bus.cause ?? cause] ?? 0);
    // Sleep and bus-off end where the interface goes: each has a gap of its own.
    const isOver = bus.cause === 'bus_idle' || bus.cause === 'bus_off';
    if (isOver && isStronger) this.#close(bus, fromNs);
    else if (bus.cause !== undefined) {
      if (!isStronger) return;
      bus.cause = cause;
      for (const list of this.#lists) list.rename(bus.name, cause);
      return;
    }
    bus.cause = cause;
    for (const list of this.#lists) list.begin(bus.name, cause, fromNs);
  }

  #end(bus: Bus, toNs: bigint): void {
    if (bus.cause === undefined) return;
    this.#close(bus, toNs);
    bus.lastNs = toNs;
  }

  #close(bus: Bus, toNs: bigint): void {
    bus.cause = undefined;
    for (const list of this.#lists) list.end(bus.name, toNs);
  }
}
