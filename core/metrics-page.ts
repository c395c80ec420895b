/**
 * A page of metrics as Prometheus reads it: text format 0.0.4.
 * Implements spec/metrics.md. A sample without a value is left out, as the format wants it.
 */

export type Labels = Readonly<Record<string, string>>;
export type Sample = readonly [labels: Labels, value: number | undefined];

/** Upper bounds in ascending order, and how many values fell into each. */
export type HistogramValues = {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly sum: number;
  readonly count: number;
};

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Collects families in order. */
export class MetricsPage {
  readonly #prefix: string;
  readonly #lines: string[] = [];

  /** @param prefix of every name, with its underscore */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  counter(name: string, help: string, samples: readonly Sample[]): void {
    this.#family(name, 'counter', help, samples);
  }

  gauge(name: string, help: string, samples: readonly Sample[]): void {
    this.#family(name, 'gauge', help, samples);
  }

  histogram(name: string, help: string, { bounds, counts, sum, count }: HistogramValues): void {
    this.#head(name, 'histogram', help);
    let below = 0;
    for (const [i, bound] of bounds.entries()) {
      below += counts[i] ?? 0;
      this.#sample(`${name}_bucket`, { le: String(bound) }, below);
    }
    this.#sample(`${name}_bucket`, { le: '+Inf' }, count);
    this.#sample(`${name}_sum`, {}, sum);
    this.#sample(`${name}_count`, {}, count);
  }

  text(): string {
    return `${this.#lines.join('\n')}\n`;
  }

  #family(name: string, type: string, help: string, samples: readonly Sample[]): void {
    const present = samples.filter(([, value]) => value !== undefined);
    if (present.length === 0) return;
    this.#head(name, type, help);
    for (const [labels, value] of present) this.#sample(name, labels, value ?? 0);
  }

  #head(name: string, type: string, help: string): void {
    this.#lines.push(
      `# HELP ${this.#prefix}${name} ${help}`,
      `# TYPE ${this.#prefix}${name} ${type}`,
    );
  }

  #sample(name: string, labels: Labels, value: number): void {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escaped(text)}"`);
    const suffix = pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
    this.#lines.push(`${this.#prefix}${name}${suffix} ${value}`);
  }
}

/** An interface's name may hold a quotation mark or a backslash. */
function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
