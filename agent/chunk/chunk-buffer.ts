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

  /** Copies frames `from` up to, not including, `to`, at least one; `shiftNs` is added to their offsets. */
  append(block: FrameBlock, from: number, to: number, shiftNs: number): void {
    const { count: row } = this;
    const count = to - from;
    this.#reserveRows(row + count);
    const offsets = this.#offsetNs;
    for (let i = 0; i < count; i++) offsets[row + i] = shiftNs + (block.offsetNs[from + i] ?? 0);
    this.#bus.set(block.bus.subarray(from, to), row);
    this.#id.set(block.id.subarray(from, to), row);
    this.#flags.set(block.flags.subarray(from, to), row);
    this.#length.set(block.length.subarray(from, to), row);
    this.#rawDlc.set(block.rawDlc.subarray(from, to), row);
    this.#cursor.set(block.cursor.subarray(from, to), row);
    this.#appendData(block, from, to);
    this.#count = row + count;
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

  /** Data lies in the order of the frames, one after the other, so that it is copied in one piece. */
  #appendData(block: FrameBlock, from: number, to: number): void {
    const { dataAt, data, id, length } = block;
    const start = dataAt[from] ?? 0;
    const end = (dataAt[to - 1] ?? 0) + frameDataLength(id[to - 1] ?? 0, length[to - 1] ?? 0);
    const moved = this.#dataEnd - start;
    this.#reserveData(this.#dataEnd + end - start);
    this.#data.set(data.subarray(start, end), this.#dataEnd);
    for (let i = from; i < to; i++) this.#dataAt[this.#count + i - from] = (dataAt[i] ?? 0) + moved;
    this.#dataEnd += end - start;
  }

  #reserveRows(needed: number): void {
    if (needed <= this.#rows) return;
    while (this.#rows < needed) this.#rows *= 2;
    this.#offsetNs = grown(this.#offsetNs, new Float64Array(this.#rows));
    this.#bus = grown(this.#bus, new Uint8Array(this.#rows));
    this.#id = grown(this.#id, new Uint32Array(this.#rows));
    this.#flags = grown(this.#flags, new Uint8Array(this.#rows));
    this.#length = grown(this.#length, new Uint8Array(this.#rows));
    this.#rawDlc = grown(this.#rawDlc, new Uint8Array(this.#rows));
    this.#dataAt = grown(this.#dataAt, new Uint32Array(this.#rows));
    this.#cursor = grown(this.#cursor, new Uint32Array(this.#rows));
  }

  #reserveData(needed: number): void {
    if (needed <= this.#data.length) return;
    let length = this.#data.length;
    while (length < needed) length *= 2;
    this.#data = grown(this.#data, new Uint8Array(length));
  }
}

function grown<T extends Uint8Array | Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
