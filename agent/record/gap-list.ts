/**
 * Gaps as a chunk header or a journal block lists them: the parts that lie within it.
 * Implements spec/chunk-header.md, "Gaps".
 */
import type { Gap, GapCause } from '../../core/chunk-header.ts';
import { collectedGaps } from '../../core/recovered-tree.ts';

type OpenGap = { fromNs: bigint; cause: GapCause };

export class GapList {
  /** By bus; '' is all. */
  readonly #open = new Map<string, OpenGap>();
  #parts: Gap[] = [];
  #startNs: bigint;

  /** @param startNs where the first interval starts, by the wall clock */
  constructor(startNs: bigint) {
    this.#startNs = startNs;
  }

  /** Something began or ended that no interval has listed yet. */
  get hasNews(): boolean {
    return (
      this.#parts.length > 0 ||
      [...this.#open.values()].some(({ fromNs }) => fromNs !== this.#startNs)
    );
  }

  /** A gap that is over. */
  add(gap: Gap): void {
    this.#parts.push({ ...gap, fromNs: this.#notBefore(gap.fromNs) });
  }

  /** A gap that may lie before this interval: how the session before ended, or what was lost between two stamps. */
  addEarlier(gap: Gap): void {
    this.#parts.push(gap);
  }

  begin(bus: string, cause: GapCause, fromNs: bigint): void {
    this.#open.set(bus, { fromNs: this.#notBefore(fromNs), cause });
  }

  /** The gap that is open has another cause than was known; the part that an earlier interval listed keeps its own. */
  rename(bus: string, cause: GapCause): void {
    const gap = this.#open.get(bus);
    if (gap !== undefined) gap.cause = cause;
  }

  end(bus: string, toNs: bigint): void {
    const gap = this.#open.get(bus);
    if (gap === undefined) return;
    this.#open.delete(bus);
    this.#parts.push({ bus, fromNs: gap.fromNs, toNs, cause: gap.cause });
  }

  /** The wall clock was set: an open gap goes on by the new time. */
  restart(wallNs: bigint): void {
    this.#startNs = wallNs;
    for (const gap of this.#open.values()) gap.fromNs = wallNs;
  }

  /** The parts up to `toNs` that no call before gave; gaps that are open go on in the next interval. */
  take(toNs: bigint): readonly Gap[] {
    const parts = this.#parts;
    for (const [bus, gap] of this.#open) {
      // It began behind what is known to be read, where this interval ends: it is of the next.
      if (gap.fromNs > toNs) continue;
      parts.push({ bus, fromNs: gap.fromNs, toNs, cause: gap.cause });
      gap.fromNs = toNs;
    }
    this.#parts = [];
    this.#startNs = toNs;
    return collectedGaps(parts);
  }

  /** What an earlier interval could have listed and did not is not claimed for this one. */
  #notBefore(fromNs: bigint): bigint {
    return fromNs < this.#startNs ? this.#startNs : fromNs;
  }
}
