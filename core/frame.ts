/**
 * Frames in columns: the form in which frames travel from a source to the chunker, and back out of a bundle.
 * The flag bits of `id` are those of linux/can.h; data lengths are those of ISO 11898-1.
 */

export const CAN_EFF_FLAG = 0x80000000;
export const CAN_RTR_FLAG = 0x40000000;
export const CAN_ERR_FLAG = 0x20000000;
/** In `flags`: CAN FD frame; the low nibble is canfd_frame.flags verbatim (BRS 1, ESI 2, FDF 4). */
export const FRAME_FD = 0x80;

export type FrameBlock = {
  /** Stamps are baseNs + offsetNs[i]. */
  readonly baseNs: bigint;
  readonly count: number;
  /** Safe integers; may step back or be negative. */
  readonly offsetNs: Float64Array;
  /** Index into the source's list of bus names. */
  readonly bus: Uint8Array;
  /** can_id with EFF, RTR and ERR flag bits. */
  readonly id: Uint32Array;
  readonly flags: Uint8Array;
  /** Data bytes, 0 to 64; for RTR the DLC, without data bytes. */
  readonly length: Uint8Array;
  /** len8_dlc, 9 to 15, of a classic frame of length 8; else 0. */
  readonly rawDlc: Uint8Array;
  /** Where frame i's data starts in `data`; ascending, each behind the one before. */
  readonly dataAt: Uint32Array;
  readonly data: Uint8Array;
  /** Replay: 1-based line number of frame i; live capture: 0. */
  readonly cursor: Uint32Array;
};

/** One frame by itself, for places where speed does not matter. */
export type Frame = {
  readonly timeNs: bigint;
  readonly bus: number;
  readonly id: number;
  readonly flags: number;
  readonly length: number;
  readonly rawDlc: number;
  readonly data: Uint8Array;
  readonly cursor: number;
};

/** The data bytes of frame `i`: borrowed, a view into the block. Empty for RTR. */
export function frameData(block: FrameBlock, i: number): Uint8Array {
  const at = block.dataAt[i] ?? 0;
  return block.data.subarray(at, at + frameDataLength(block.id[i] ?? 0, block.length[i] ?? 0));
}

/** How many data bytes a frame carries: an RTR frame names a DLC and carries none. */
export function frameDataLength(id: number, length: number): number {
  return (id & CAN_RTR_FLAG) === 0 ? length : 0;
}

/** The stamp of frame `i` in ns. Allocates a bigint: not for the hot path. */
export function frameTimeNs(block: FrameBlock, i: number): bigint {
  return block.baseNs + BigInt(block.offsetNs[i] ?? 0);
}

/** Frame `i` by itself; its data is borrowed from the block. */
export function frameAt(block: FrameBlock, i: number): Frame {
  return {
    timeNs: frameTimeNs(block, i),
    bus: block.bus[i] ?? 0,
    id: block.id[i] ?? 0,
    flags: block.flags[i] ?? 0,
    length: block.length[i] ?? 0,
    rawDlc: block.rawDlc[i] ?? 0,
    data: frameData(block, i),
    cursor: block.cursor[i] ?? 0,
  };
}
