/**
 * Shapes: what frames of one stream have in common, written once.
 * Implements spec/raw-payload.md, "Shapes" and "Limits".
 */
import { FormatError } from './errors.ts';
import { FRAME_FD } from './frame.ts';
import { streamKey } from './stream.ts';

/** Stamps lie within this of the chunk's base (13 days), so that all arithmetic stays exact. */
export const MAX_OFFSET_NS = 2 ** 50;
export const NS_PER_US = 1000;
/** In the head of the times: the unit is a nanosecond, not a microsecond. */
export const UNIT_NS = 0x80;

export const KIND_EXPLICIT_ID = 0x40;
export const KIND_RTR = 0x20;
export const KIND_RAW_DLC = 0x10;
const KIND_FLAGS = 0x0f;
/** As first byte: what follows is a list of shapes. Below it stands the one length of plain frames. */
export const MANY_SHAPES = 0x80;

export type Shape = {
  /** FRAME_FD, KIND_* bits, and canfd_frame.flags in the low nibble. */
  readonly kind: number;
  readonly length: number;
  readonly rawDlc: number;
  /** can_id with flags. */
  readonly id: number;
};

/** Flags as they are recorded: a classic frame has none, whatever lies in its padding. */
export function recordedFlags(flags: number): number {
  return (flags & FRAME_FD) === 0 ? 0 : flags & (FRAME_FD | KIND_FLAGS);
}

/** How many planes number the shapes of a list. */
export function indexWidth(shapeCount: number): number {
  return bytesFor(shapeCount - 1);
}

/** Bytes that an unsigned integer needs; none for zero. */
export function bytesFor(value: number): number {
  let width = 0;
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) width += 1;
  return width;
}

/**
 * Refuses what no frame can be, and a frame that belongs to another stream.
 * @throws FormatError RAW_SHAPE
 */
export function assertShape(shape: Shape, impliedId: number | undefined): void {
  const { kind, length, rawDlc, id } = shape;
  const isFrame = isFd(kind)
    ? length <= 64 && rawDlc === 0
    : length <= 8 && (kind & KIND_FLAGS) === 0 && (rawDlc === 0 || isRawDlc(length, rawDlc));
  if (!isFrame || (impliedId !== undefined && streamKey(id) !== impliedId)) {
    throw new FormatError('RAW_SHAPE', 'expected the shape of a CAN frame of this stream');
  }
}

function isFd(kind: number): boolean {
  return (kind & FRAME_FD) !== 0;
}

/** len8_dlc: a length code that a classic frame of eight bytes may carry. */
function isRawDlc(length: number, rawDlc: number): boolean {
  return length === 8 && rawDlc >= 9 && rawDlc <= 15;
}
