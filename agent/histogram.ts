/** Counts values by size, in fixed buckets: what a Prometheus histogram is made of. */
export class Histogram {
  /** Upper bounds, ascending. */
  readonly bounds: readonly number[];
  /** Values up to each bound that no lower bound takes; the last: above all of them. */
  readonly counts: number[];
  sum = 0;
  max = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = [...bounds.map(() => 0), 0];
  }

  get count(): number {
    return this.counts.reduce((total, count) => total + count, 0);
  }

  observe(value: number): void {
    const above = this.bounds.findIndex((bound) => value <= bound);
    const bucket = above === -1 ? this.bounds.length : above;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.sum += value;
    this.max = Math.max(this.max, value);
  }
}
