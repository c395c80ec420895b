/**
 * Decodes the payload of a raw leaf back to frames.
 * Implements spec/raw-payload.md, "Decoding".
 */
import { equalBytes } from './bytes.ts';
import { FormatError } from './errors.ts';
import { CAN_RTR_FLAG, type FrameBlock, frameDataLength } from './frame.ts';
import { MAX_LEAF_COUNT } from './leaf.ts';
import { RawPayloadEncoder } from './raw-payload-encode.ts';
import {
  assertShape,
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
import { ByteReader } from './varint.ts';

/** The frames of one raw leaf, in recorded order. */
export type RawFrames = Pick<
  FrameBlock,
  'count' | 'offsetNs' | 'id' | 'flags' | 'length' | 'rawDlc' | 'dataAt' | 'data'
>;

/** Used again for every leaf: its buffers are larger than most payloads. */
const encoder = new RawPayloadEncoder();

/**
 * Decodes, and refuses every payload that the encoder would not have written.
 * @param offsetNs of the result is against the chunk's base
 * @throws FormatError RAW_PAYLOAD, RAW_SHAPE, RAW_STAMP, RAW_NOT_CANONICAL
 */
export function decodeRawPayload(
  payload: Uint8Array,
  count: number,
  impliedId: number | undefined,
): RawFrames {
  if (count < 1 || count > MAX_LEAF_COUNT) throw malformed(`a count from 1, got ${count}`);
  const reader = new ByteReader(payload, 'RAW_PAYLOAD');
  const { shapes, shapeOf: shapeIndex } = readShapes(reader, count, impliedId);
  const offsetNs = readTimes(reader, count);
  const frames = readData(reader, count, shapes, shapeIndex, offsetNs);
  reader.end();
  const rows = Uint32Array.from({ length: count }, (_, i) => i);
  const block = { ...frames, baseNs: 0n, bus: new Uint8Array(0), cursor: new Uint32Array(0) };
  if (!equalBytes(encoder.encode(block, rows, impliedId), payload)) {
    throw new FormatError('RAW_NOT_CANONICAL', 'expected the one encoding of these frames');
  }
  return frames;
}

function readShapes(
  reader: ByteReader,
  count: number,
  impliedId: number | undefined,
): { readonly shapes: readonly Shape[]; readonly shapeOf: Uint32Array } {
  const head = reader.byte();
  if (head !== MANY_SHAPES) {
    if (impliedId === undefined) throw malformed('an explicit CAN id in this stream');
    const shape = { kind: 0, length: head, rawDlc: 0, id: impliedId };
    assertShape(shape, impliedId);
    return { shapes: [shape], shapeOf: new Uint32Array(count) };
  }
  const shapeCount = reader.varint();
  if (shapeCount < 1 || shapeCount > count) throw malformed('1 shape to one for each frame');
  const shapes: Shape[] = [];
  for (let s = 0; s < shapeCount; s++) shapes.push(readShape(reader, impliedId));
  const shapeOf = new Uint32Array(count);
  for (let plane = indexWidth(shapeCount); plane > 0; plane--) {
    const bytes = reader.take(count);
    for (let i = 0; i < count; i++) shapeOf[i] = (shapeOf[i] ?? 0) * 256 + (bytes[i] ?? 0);
  }
  for (const index of shapeOf) if (index >= shapeCount) throw malformed('a known shape');
  return { shapes, shapeOf };
}

function readShape(reader: ByteReader, impliedId: number | undefined): Shape {
  const kind = reader.byte();
  const length = reader.byte();
  const rawDlc = (kind & KIND_RAW_DLC) === 0 ? 0 : reader.byte();
  const shape = { kind, length, rawDlc, id: readId(reader, kind, impliedId) };
  assertShape(shape, impliedId);
  return shape;
}

function readId(reader: ByteReader, kind: number, impliedId: number | undefined): number {
  if ((kind & KIND_EXPLICIT_ID) !== 0) {
    return reader.take(4).reduce((value, byte) => value * 256 + byte, 0);
  }
  if (impliedId === undefined) throw malformed('an explicit CAN id in this stream');
  const remote = (kind & KIND_RTR) !== 0 ? CAN_RTR_FLAG : 0;
  return (impliedId | remote) >>> 0;
}

function readTimes(reader: ByteReader, count: number): Float64Array {
  const head = reader.byte();
  const width = head & 0x7f;
  if (width > 7) throw malformed('times of at most 7 planes');
  const unit = (head & UNIT_NS) === 0 ? NS_PER_US : 1;
  const planes = reader.take(width * count);
  const offsetNs = new Float64Array(count);
  let time = 0;
  let delta = 0;
  for (let i = 0; i < count; i++) {
    let value = 0;
    for (let plane = 0; plane < width; plane++)
      value = value * 256 + (planes[plane * count + i] ?? 0);
    const difference = value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    delta = i < 2 ? difference : delta + difference;
    time += delta;
    if (Math.abs(time * unit) > MAX_OFFSET_NS) {
      throw new FormatError('RAW_STAMP', 'expected stamps within 2^50 ns of the base');
    }
    offsetNs[i] = time * unit;
  }
  return offsetNs;
}

function readData(
  reader: ByteReader,
  count: number,
  shapes: readonly Shape[],
  shapeIndex: Uint32Array,
  offsetNs: Float64Array,
): RawFrames {
  const lengths = shapes.map((shape) => frameDataLength(shape.id, shape.length));
  const width = lengths.reduce((widest, length) => Math.max(widest, length), 0);
  const bitmap = reader.take(Math.ceil(width / 8));
  const firsts = reader.take(width);
  const frames = {
    count,
    offsetNs,
    id: new Uint32Array(count),
    flags: new Uint8Array(count),
    length: new Uint8Array(count),
    rawDlc: new Uint8Array(count),
    dataAt: new Uint32Array(count),
  };
  let total = 0;
  for (let i = 0; i < count; i++) {
    const shape = shapes[shapeIndex[i] ?? 0];
    if (shape === undefined) throw malformed('a known shape');
    frames.id[i] = shape.id;
    frames.flags[i] = recordedFlags(shape.kind);
    frames.length[i] = shape.length;
    frames.rawDlc[i] = shape.rawDlc;
    frames.dataAt[i] = total;
    total += frameDataLength(shape.id, shape.length);
  }
  const data = new Uint8Array(total);
  for (let plane = 0; plane < width; plane++) {
    const varies = ((bitmap[plane >> 3] ?? 0) & (1 << (plane & 7))) !== 0;
    let value = firsts[plane] ?? 0;
    let first = true;
    for (let i = 0; i < count; i++) {
      if ((lengths[shapeIndex[i] ?? 0] ?? 0) <= plane) continue;
      if (!first && varies) value = (value + reader.byte()) & 255;
      first = false;
      data[(frames.dataAt[i] ?? 0) + plane] = value;
    }
  }
  return { ...frames, data };
}

function malformed(expected: string): FormatError {
  return new FormatError('RAW_PAYLOAD', `expected ${expected}`);
}
