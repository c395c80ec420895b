/**
 * Encodes the payload of a raw leaf: the frames of one stream in columns.
 * Implements spec/raw-payload.md: shapes, times as differences of differences in planes, data in planes.
 */
import { FormatError } from './errors.ts';
import { CAN_RTR_FLAG, FRAME_FD, type FrameBlock, frameDataLength } from './frame.ts';
import {
  assertShape,
  bytesFor,
  indexWidth,
  KIND_EXPLICIT_ID,
  KIND_RAW_DLC,
  KIND_RTR,
  MANY_SHAPES,
  MAX_OFFSET_NS,
  NS_PER_US,
  recordedFlags,
  type Shape,
  UNIT_NS,
} from './raw-shape.ts';
import { writeVarint } from './varint.ts';

/** Encodes into one buffer that it keeps: what `encode` returns is overwritten by the next call. */
export class RawPayloadEncoder {
  #out = new Uint8Array(1 << 16);
  #shapeOf = new Uint32Array(1 << 10);
  #shapes: Shape[] = [];
  readonly #indexOf = new Map<number, number>();

  /**
   * @param impliedId the CAN id that the stream's name implies, if it does
   * @param rows which frames of the block, in recorded order; at least one
   * @returns borrowed until the next call
   * @throws FormatError RAW_SHAPE, RAW_STAMP when the frames are none that a chunk may hold
   */
  encode(block: FrameBlock, rows: Uint32Array, impliedId: number | undefined): Uint8Array {
    this.#findShapes(block, rows, impliedId);
    this.#reserve(rows.length * (8 + 64 + 3) + this.#shapes.length * 8 + 256);
    const afterShapes = this.#writeShapes(rows.length);
    const afterTimes = this.#writeTimes(block, rows, afterShapes);
    return this.#out.subarray(0, this.#writeData(block, rows, afterTimes));
  }

  #reserve(length: number): void {
    if (this.#out.length < length) this.#out = new Uint8Array(length * 2);
  }

  #findShapes(block: FrameBlock, rows: Uint32Array, impliedId: number | undefined): void {
    if (this.#shapeOf.length < rows.length) this.#shapeOf = new Uint32Array(rows.length * 2);
    this.#shapes = [];
    this.#indexOf.clear();
    let lastKey = -1;
    let last = 0;
    for (let r = 0; r < rows.length; r++) {
      const i = rows[r] ?? 0;
      const key = shapeKey(block, i);
      if (key !== lastKey) {
        last = this.#indexOf.get(key) ?? this.#addShape(block, i, impliedId);
        this.#indexOf.set(key, last);
        lastKey = key;
      }
      this.#shapeOf[r] = last;
    }
  }

  #addShape(block: FrameBlock, i: number, impliedId: number | undefined): number {
    const shape = shapeOf(block, i, impliedId);
    assertShape(shape, impliedId);
    return this.#shapes.push(shape) - 1;
  }

  #writeShapes(count: number): number {
    const out = this.#out;
    const shapes = this.#shapes;
    const only = shapes.length === 1 ? shapes[0] : undefined;
    if (only !== undefined && only.kind === 0) {
      out[0] = only.length;
      return 1;
    }
    out[0] = MANY_SHAPES;
    let at = writeVarint(out, 1, shapes.length);
    for (const shape of shapes) {
      out[at++] = shape.kind;
      out[at++] = shape.length;
      if ((shape.kind & KIND_RAW_DLC) !== 0) out[at++] = shape.rawDlc;
      if ((shape.kind & KIND_EXPLICIT_ID) !== 0) {
        for (let shift = 24; shift >= 0; shift -= 8) out[at++] = (shape.id >>> shift) & 255;
      }
    }
    for (let shift = 8 * (indexWidth(shapes.length) - 1); shift >= 0; shift -= 8) {
      for (let r = 0; r < count; r++) out[at++] = ((this.#shapeOf[r] ?? 0) >>> shift) & 255;
    }
    return at;
  }

  /** Differences of differences: a periodic frame leaves its jitter alone. */
  #writeTimes(block: FrameBlock, rows: Uint32Array, start: number): number {
    const { offsetNs } = block;
    let unit = NS_PER_US;
    for (let r = 0; r < rows.length; r++) {
      const offset = offsetNs[rows[r] ?? 0] ?? 0;
      if (offset > MAX_OFFSET_NS || offset < -MAX_OFFSET_NS) {
        throw new FormatError('RAW_STAMP', 'expected stamps within 2^50 ns of the base');
      }
      if (offset % NS_PER_US !== 0) unit = 1;
    }
    // First pass: how wide; second pass: write. Both walk the same recurrence.
    let widest = 0;
    let previous = 0;
    let delta = 0;
    for (let r = 0; r < rows.length; r++) {
      const time = (offsetNs[rows[r] ?? 0] ?? 0) / unit;
      const change = time - previous;
      const value = zigzag(r < 2 ? change : change - delta);
      if (value > widest) widest = value;
      previous = time;
      delta = change;
    }
    const width = bytesFor(widest);
    const out = this.#out;
    out[start] = width | (unit === 1 ? UNIT_NS : 0);
    const planes = start + 1;
    const count = rows.length;
    previous = 0;
    delta = 0;
    for (let r = 0; r < count; r++) {
      const time = (offsetNs[rows[r] ?? 0] ?? 0) / unit;
      const change = time - previous;
      let value = zigzag(r < 2 ? change : change - delta);
      for (let plane = width - 1; plane >= 0; plane--) {
        const byte = value % 256;
        out[planes + plane * count + r] = byte;
        value = (value - byte) / 256;
      }
      previous = time;
      delta = change;
    }
    return planes + width * count;
  }

  /** A plane is one byte position; one that never changes is written once. */
  #writeData(block: FrameBlock, rows: Uint32Array, start: number): number {
    const { data, dataAt } = block;
    const out = this.#out;
    const lengths = this.#shapes.map((shape) => frameDataLength(shape.id, shape.length));
    const width = lengths.reduce((widest, length) => Math.max(widest, length), 0);
    const uniform = lengths.length === 1;
    const bitmap = start;
    const firsts = bitmap + Math.ceil(width / 8);
    let at = firsts + width;
    out.fill(0, bitmap, firsts);
    for (let plane = 0; plane < width; plane++) {
      const planeStart = at;
      let previous = -1;
      let varies = 0;
      for (let r = 0; r < rows.length; r++) {
        if (!uniform && (lengths[this.#shapeOf[r] ?? 0] ?? 0) <= plane) continue;
        const byte = data[(dataAt[rows[r] ?? 0] ?? 0) + plane] ?? 0;
        if (previous < 0) out[firsts + plane] = byte;
        else {
          const difference = (byte - previous) & 255;
          varies |= difference;
          out[at++] = difference;
        }
        previous = byte;
      }
      if (varies === 0) at = planeStart;
      else out[bitmap + (plane >> 3)] = (out[bitmap + (plane >> 3)] ?? 0) | (1 << (plane & 7));
    }
    return at;
  }
}

/** One number for (id, flags, length, rawDlc), below 2^53. */
function shapeKey(block: FrameBlock, i: number): number {
  const flags = recordedFlags(block.flags[i] ?? 0);
  const rest =
    ((flags & FRAME_FD) << 13) |
    ((flags & 15) << 16) |
    ((block.length[i] ?? 0) << 8) |
    (block.rawDlc[i] ?? 0);
  return (block.id[i] ?? 0) * 2 ** 21 + rest;
}

function shapeOf(block: FrameBlock, i: number, impliedId: number | undefined): Shape {
  const id = block.id[i] ?? 0;
  const rawDlc = block.rawDlc[i] ?? 0;
  const isData = id === impliedId;
  const isRemote = impliedId !== undefined && id === (impliedId | CAN_RTR_FLAG) >>> 0;
  return {
    kind:
      recordedFlags(block.flags[i] ?? 0) |
      (isData || isRemote ? 0 : KIND_EXPLICIT_ID) |
      (isRemote ? KIND_RTR : 0) |
      (rawDlc === 0 ? 0 : KIND_RAW_DLC),
    length: block.length[i] ?? 0,
    rawDlc,
    id,
  };
}

function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1;
}
