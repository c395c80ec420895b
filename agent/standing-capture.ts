/** A capture that outlives its sessions: what no session has taken, and how the interfaces stand, is for the next. */
import type { CaptureBlock, CaptureSource, LinkState } from './ports.ts';

export class StandingCapture implements CaptureSource {
  readonly buses;
  readonly #source: CaptureSource;
  /** By bus, as the blocks have told it. */
  readonly #links = new Map<number, LinkState>();
  /** Taken for a session that has not begun. */
  #first: CaptureBlock | undefined;

  constructor(source: CaptureSource) {
    this.#source = source;
    this.buses = source.buses;
  }

  /** What a session begins with: the same block until one has begun. The source tells only changes. */
  first(): CaptureBlock {
    if (this.#first === undefined) {
      const standing = [...this.#links];
      const block = this.take();
      const { wallNs } = block.clock;
      const links = standing.map(([bus, state]) => ({ bus, beforeRow: 0, wallNs, state }));
      this.#first = { ...block, links: [...links, ...block.links] };
    }
    return this.#first;
  }

  /** The first block is the session's. */
  begun(): void {
    this.#first = undefined;
  }

  take(): CaptureBlock {
    const block = this.#source.take();
    for (const { bus, state } of block.links) this.#links.set(bus, state);
    return block;
  }

  async wait(timeoutMs: number): Promise<void> {
    await this.#source.wait(timeoutMs);
  }

  ringFullTimes(): number {
    return this.#source.ringFullTimes?.() ?? 0;
  }

  async close(): Promise<void> {
    await this.#source.close();
  }
}
