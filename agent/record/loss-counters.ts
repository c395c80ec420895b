/** What was lost on each bus since the counters were last taken (spec/chunk-header.md, "Losses"). */
import type { BusCounters } from '../../core/chunk-header.ts';

type Loss = 'kernelDrops' | 'controllerOverruns' | 'busOffs';

export class LossCounters {
  readonly #buses: readonly string[];
  readonly #counts: Record<Loss, number>[];

  constructor(buses: readonly string[]) {
    this.#buses = buses;
    this.#counts = buses.map(none);
  }

  get isZero(): boolean {
    return this.#counts.every((of) => of.kernelDrops + of.controllerOverruns + of.busOffs === 0);
  }

  add(bus: number, loss: Loss, count: number): void {
    const counts = this.#counts[bus];
    if (counts !== undefined) counts[loss] += count;
  }

  /** For every bus, zeros included; starts again from zero. */
  take(): readonly BusCounters[] {
    return this.#counts.map((counts, i) => {
      this.#counts[i] = none();
      return { bus: this.#buses[i] ?? '', ...counts };
    });
  }
}

function none(): Record<Loss, number> {
  return { kernelDrops: 0, controllerOverruns: 0, busOffs: 0 };
}
