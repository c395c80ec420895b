/**
 * Fills the columns of one frame block after another in the same memory, without an object or a bigint per frame.
 */
import { type Frame, type FrameBlock, frameDataLength } from './frame.ts';

const NS_PER_SECOND = 1_000_000_000;
/** Longest data of any frame (CAN FD). */
const MAX_DATA_BYTES = 64;
const CLASSIC_DATA_BYTES = 8;

export class FrameBlockBuilder {
  readonly capacity: number;
  /** Frames so far. */
  count = 0;
  /** Room for the next frame's data starts here in `data`. */
  dataLength = 0;
  /** Replaced when it grows: read it anew after `reserveData`. */
  data: Uint8Array;

  readonly #maxSpanNs: number;
  readonly #offsetNs: Float64Array;
  readonly #bus: Uint8Array;
  readonly #id: Uint32Array;
  readonly #flags: Uint8Array;
  readonly #length: Uint8Array;
  readonly #rawDlc: Uint8Array;
  readonly #dataAt: Uint32Array;
  readonly #cursor: Uint32Array;
  #baseSeconds = 0;
  #baseNanoseconds = 0;

  /**
   * @param capacity frames of one block; the columns are allocated at once
   * @param maxSpanNs a frame later than the first by more than this is not taken
   */
  constructor(capacity: number, maxSpanNs: number = Number.MAX_SAFE_INTEGER) {
    this.capacity = capacity;
    this.#maxSpanNs = maxSpanNs;
    this.data = new Uint8Array(capacity * CLASSIC_DATA_BYTES + MAX_DATA_BYTES);
    this.#offsetNs = new Float64Array(capacity);
    this.#bus = new Uint8Array(capacity);
    this.#id = new Uint32Array(capacity);
    this.#flags = new Uint8Array(capacity);
    this.#length = new Uint8Array(capacity);
    this.#rawDlc = new Uint8Array(capacity);
    this.#dataAt = new Uint32Array(capacity);
    this.#cursor = new Uint32Array(capacity);
  }

  /** Makes room for the longest data at `dataLength`. Call it before writing into `data`. */
  reserveData(): void {
    if (this.data.length - this.dataLength >= MAX_DATA_BYTES) return;
    const grown = new Uint8Array(this.data.length * 2 + MAX_DATA_BYTES);
    grown.set(this.data);
    this.data = grown;
  }

  /**
   * Takes a frame whose data already stands at `dataLength`. The stamp comes in two numbers because
   * nanoseconds since 1970 pass 2^53.
   * @returns false, with nothing taken, when the block is full or the stamp lies too far from the first
   */
  push(
    seconds: number,
    nanoseconds: number,
    bus: number,
    id: number,
    flags: number,
    length: number,
    rawDlc: number,
    cursor: number,
  ): boolean {
    const i = this.count;
    if (i === this.capacity) return false;
    if (i === 0) {
      this.#baseSeconds = seconds;
      this.#baseNanoseconds = nanoseconds;
    }
    const offsetNs =
      (seconds - this.#baseSeconds) * NS_PER_SECOND + (nanoseconds - this.#baseNanoseconds);
    // Beyond 2^53 the product is rounded, but never down to a safe integer, so the comparison holds.
    if (offsetNs > this.#maxSpanNs || offsetNs < -Number.MAX_SAFE_INTEGER) return false;
    this.#offsetNs[i] = offsetNs;
    this.#bus[i] = bus;
    this.#id[i] = id;
    this.#flags[i] = flags;
    this.#length[i] = length;
    this.#rawDlc[i] = rawDlc;
    this.#dataAt[i] = this.dataLength;
    this.#cursor[i] = cursor;
    this.dataLength += frameDataLength(id, length);
    this.count = i + 1;
    return true;
  }

  /** The frames so far, in views of the builder's memory: borrowed until `clear`. */
  frames(): FrameBlock {
    const n = this.count;
    return {
      baseNs: BigInt(this.#baseSeconds) * BigInt(NS_PER_SECOND) + BigInt(this.#baseNanoseconds),
      count: n,
      offsetNs: this.#offsetNs.subarray(0, n),
      bus: this.#bus.subarray(0, n),
      id: this.#id.subarray(0, n),
      flags: this.#flags.subarray(0, n),
      length: this.#length.subarray(0, n),
      rawDlc: this.#rawDlc.subarray(0, n),
      dataAt: this.#dataAt.subarray(0, n),
      data: this.data.subarray(0, this.dataLength),
      cursor: this.#cursor.subarray(0, n),
    };
  }

  /** Starts the next block in the same memory. */
  clear(): void {
    this.count = 0;
    this.dataLength = 0;
  }
}

/**
 * A block of a few frames, in their order.
 * @throws RangeError when the stamps lie further apart than one block can say (104 days)
 */
export function frameBlock(frames: readonly Frame[]): FrameBlock {
  const builder = new FrameBlockBuilder(frames.length);
  for (const frame of frames) {
    builder.reserveData();
    builder.data.set(frame.data, builder.dataLength);
    const nanoseconds = floorMod(frame.timeNs, BigInt(NS_PER_SECOND));
    const seconds = (frame.timeNs - nanoseconds) / BigInt(NS_PER_SECOND);
    const taken = builder.push(
      Number(seconds),
      Number(nanoseconds),
      frame.bus,
      frame.id,
      frame.flags,
      frame.length,
      frame.rawDlc,
      frame.cursor,
    );
    if (!taken) throw new RangeError(`stamp ${frame.timeNs} lies too far from the first`);
  }
  return builder.frames();
}

function floorMod(value: bigint, modulus: bigint): bigint {
  return ((value % modulus) + modulus) % modulus;
}
