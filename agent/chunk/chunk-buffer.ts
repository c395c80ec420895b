/** Frames of the chunk being filled, in columns that grow and are used again for the next chunk. */
import { type FrameBlock, frameDataLength } from '../../core/frame.ts';

const FIRST_ROWS = 4096;

export class ChunkBuffer {
  #rows = FIRST_ROWS;
  #count = 0;
  #dataEnd = 0;
  #offsetNs = new Float64Array(FIRST_ROWS);
  #bus = new Uint8Array(FIRST_ROWS);
  #id = new Uint32Array(FIRST_ROWS);
  #flags = new Uint8Array(FIRST_ROWS);
  #length = new Uint8Array(FIRST_ROWS);
  #rawDlc = new Uint8Array(FIRST_ROWS);
  #dataAt = new Uint32Array(FIRST_ROWS);
  #cursor = new Uint32Array(FIRST_ROWS);
  #data = new Uint8Array(FIRST_ROWS * 8);

  get count(): number {
    return this.#count;
  }

  /** Copies frame i; its stamp becomes `offsetNs` against the chunk's base. */
  append(block: FrameBlock, i: number, offsetNs: number): void {
    const id = block.id[i] ?? 0;
    const length = block.length[i] ?? 0;
    const dataLength = frameDataLength(id, length);
    const from = block.dataAt[i] ?? 0;
    this.#reserve();
    const row = this.#count;
    this.#offsetNs[row] = offsetNs;
    this.#bus[row] = block.bus[i] ?? 0;
    this.#id[row] = id;
    this.#flags[row] = block.flags[i] ?? 0;
    this.#length[row] = length;
    this.#rawDlc[row] = block.rawDlc[i] ?? 0;
    this.#dataAt[row] = this.#dataEnd;
    this.#cursor[row] = block.cursor[i] ?? 0;
    // A loop: for eight bytes it costs less than a view and a copy.
    for (let b = 0; b < dataLength; b++) this.#data[this.#dataEnd + b] = block.data[from + b] ?? 0;
    this.#dataEnd += dataLength;
    this.#count = row + 1;
  }

  /** Views of what was appended; valid until `clear`. */
  frames(baseNs: bigint): FrameBlock {
    return {
      baseNs,
      count: this.#count,
      offsetNs: this.#offsetNs,
      bus: this.#bus,
      id: this.#id,
      flags: this.#flags,
      length: this.#length,
      rawDlc: this.#rawDlc,
      dataAt: this.#dataAt,
      data: this.#data,
      cursor: this.#cursor,
    };
  }

  clear(): void {
    this.#count = 0;
    this.#dataEnd = 0;
  }

  #reserve(): void {
    if (this.#count === this.#rows) {
      this.#rows *= 2;
      this.#offsetNs = grown(this.#offsetNs, new Float64Array(this.#rows));
      this.#bus = grown(this.#bus, new Uint8Array(this.#rows));
      this.#id = grown(this.#id, new Uint32Array(this.#rows));
      this.#flags = grown(this.#flags, new Uint8Array(this.#rows));
      this.#length = grown(this.#length, new Uint8Array(this.#rows));
      this.#rawDlc = grown(this.#rawDlc, new Uint8Array(this.#rows));
      this.#dataAt = grown(this.#dataAt, new Uint32Array(this.#rows));
      this.#cursor = grown(this.#cursor, new Uint32Array(this.#rows));
    }
    if (this.#dataEnd + 64 > this.#data.length) {
      this.#data = grown(this.#data, new Uint8Array(this.#data.length * 2));
    }
  }
}

function grown<T extends Uint8Array | Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
