/** One line that is written over on a terminal; nothing at all in a pipe. */
import type { Output } from './io.ts';

export class ProgressLine {
  readonly #output: Output;
  #shownAtMs = 0;
  #visible = false;

  constructor(output: Output) {
    this.#output = output;
  }

  show(text: string): void {
    if (this.#output.isTTY !== true) return;
    const now = performance.now();
    if (now - this.#shownAtMs < 100) return;
    this.#shownAtMs = now;
    this.#visible = true;
    const width = (this.#output.columns ?? 80) - 1;
    this.#output.write(`\r\u001b[K${text.slice(0, width)}`);
  }

  clear(): void {
    if (this.#visible) this.#output.write('\r\u001b[K');
    this.#visible = false;
    this.#shownAtMs = 0;
  }
}

/** `━━━━━━╌╌╌╌ 60 %`. @param part 0 to 1 */
export function bar(part: number, width = 24): string {
  const done = Math.round(Math.min(Math.max(part, 0), 1) * width);
  return `${'━'.repeat(done)}${'╌'.repeat(width - done)} ${Math.floor(part * 100)} %`;
}
