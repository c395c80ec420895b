/** A frame that says which one it is, as a datagram in the form of struct can_frame. */

export type FrameNumber = {
  /** Of the agent's process that it was sent to, counted in the life of a unit. */
  readonly run: number;
  readonly bus: number;
  /** Frames of this run that were sent to this bus before. */
  readonly count: number;
};

const HEAD_BYTES = 8;
const DATA_BYTES = 8;

export function encodeNumberedFrame({ run, bus, count }: FrameNumber): Uint8Array {
  const view = new DataView(new ArrayBuffer(HEAD_BYTES + DATA_BYTES));
  // Other ids in each of eight runs, so that streams are first seen in every part of a unit's life.
  view.setUint32(0, 0x100 + (run % 8) * 8 + (count % 5), true);
  view.setUint8(4, DATA_BYTES);
  view.setUint8(HEAD_BYTES, bus);
  view.setUint16(HEAD_BYTES + 2, run, true);
  view.setUint32(HEAD_BYTES + 4, count, true);
  return new Uint8Array(view.buffer);
}

/** @param data of a frame that came back from the evidence */
export function numberOf(data: Uint8Array): FrameNumber {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  return { bus: view.getUint8(0), run: view.getUint16(2, true), count: view.getUint32(4, true) };
}
