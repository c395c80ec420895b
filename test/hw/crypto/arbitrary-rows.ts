/** Random frames of several buses, as a source could bring them, and some that no source should. */
import fc from 'fast-check';
import type { FrameRows } from '../../../agent/ports.ts';
import {
  CAN_EFF_FLAG,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  FRAME_FD,
  frameDataLength,
} from '../../../core/frame.ts';
import { MAX_OFFSET_NS } from '../../../core/raw-shape.ts';

export const BUSES = ['can0', 'can1', 'vcan-15-letters'] as const;

type RowFrame = {
  readonly step: number;
  readonly bus: number;
  readonly id: number;
  readonly flags: number;
  readonly length: number;
  readonly rawDlc: number;
  readonly fill: number;
  readonly data: Uint8Array;
};

/** Mostly ties and whole periods, so that many leaves compress and many frames tie; sometimes far back or ahead. */
const steps = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(0, 0, 1000, 500_000, 10_000_000) },
  { weight: 2, arbitrary: fc.constantFrom(-1000, -3_000_000, 1, 999) },
  { weight: 1, arbitrary: fc.integer({ min: -5_000_000_000, max: 20_000_000_000 }) },
);
const ids = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(0x100, 0x101, 0x0b4, 0x7ff) },
  { weight: 2, arbitrary: fc.nat(0x7ff) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(1, 0x18fee900, 0x1fffffff).map((id) => id | CAN_EFF_FLAG),
  },
  { weight: 1, arbitrary: fc.nat(0x1ff).map((bits) => bits | CAN_ERR_FLAG) },
  { weight: 1, arbitrary: fc.constantFrom(0x100, 0x0b4).map((id) => id | CAN_RTR_FLAG) },
  // Bits between a standard id and the flags: a virtual bus lets them through.
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xffffffff }) },
);
const shapes = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(8, 8, 4, 0).map((length) => classic(length)) },
  { weight: 2, arbitrary: fc.nat(8).map((length) => classic(length)) },
  // A classic frame has no flags, whatever lies in its padding.
  { weight: 1, arbitrary: fc.nat(0x7f).map((flags) => ({ ...classic(8), flags })) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 9, max: 15 }).map((rawDlc) => ({ ...classic(8), rawDlc })),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.nat(64), fc.nat(0x7f))
      .map(([length, flags]) => ({ flags: FRAME_FD | flags, length, rawDlc: 0 })),
  },
);
const wrongShapes = fc.constantFrom(
  classic(9),
  { ...classic(8), rawDlc: 8 },
  { ...classic(8), rawDlc: 16 },
  { ...classic(7), rawDlc: 9 },
  { flags: FRAME_FD, length: 65, rawDlc: 0 },
  { flags: FRAME_FD, length: 8, rawDlc: 9 },
);

function classic(length: number) {
  return { flags: 0, length, rawDlc: 0 };
}

const frames: fc.Arbitrary<RowFrame> = fc
  .record({
    step: steps,
    bus: fc.nat(BUSES.length - 1),
    id: ids,
    shape: shapes,
    fill: fc.constantFrom(0, 0, 1, 255),
    data: fc.uint8Array({ maxLength: 3 }),
  })
  .map(({ shape, ...frame }) => ({ ...frame, ...shape, id: frame.id >>> 0 }));

const wrongFrames: fc.Arbitrary<RowFrame> = fc.oneof(
  fc.tuple(frames, wrongShapes).map(([frame, shape]) => ({ ...frame, ...shape })),
  fc
    .tuple(frames, fc.constantFrom(-1, 1))
    .map(([frame, sign]) => ({ ...frame, step: sign * (MAX_OFFSET_NS + 1) })),
);

export function rowsOf(list: readonly RowFrame[], change: Partial<FrameRows> = {}): FrameRows {
  let at = 0;
  let offset = 0;
  const dataAt = list.map(({ id, length }) => {
    at += frameDataLength(id, length);
    return at - frameDataLength(id, length);
  });
  const data = new Uint8Array(at);
  list.forEach((frame, i) => {
    const start = dataAt[i] ?? 0;
    const end = dataAt[i + 1] ?? at;
    data.fill(frame.fill, start, end);
    data.set(frame.data.subarray(0, end - start), start);
  });
  const column = (of: (frame: RowFrame) => number) => Uint8Array.from(list, of);
  return {
    frames: {
      baseNs: 0n,
      count: list.length,
      offsetNs: Float64Array.from(list, ({ step }) => (offset += step)),
      bus: column(({ bus }) => bus),
      id: Uint32Array.from(list, ({ id }) => id),
      flags: column(({ flags }) => flags),
      length: column(({ length }) => length),
      rawDlc: column(({ rawDlc }) => rawDlc),
      dataAt: Uint32Array.from(dataAt),
      data,
      cursor: new Uint32Array(list.length),
    },
    buses: BUSES,
    from: 0,
    to: list.length,
    shiftNs: 0,
    ...change,
  };
}

/** A part of a block, moved in time. */
export const rows: fc.Arbitrary<FrameRows> = fc
  .tuple(
    fc.array(fc.oneof({ weight: 60, arbitrary: frames }, { weight: 1, arbitrary: wrongFrames }), {
      maxLength: 150,
      size: 'max',
    }),
    fc.nat(150),
    fc.nat(150),
    fc.constantFrom(0, 0, -1000, 7, 2 ** 40),
  )
  .map(([list, a, b, shiftNs]) =>
    rowsOf(list, {
      from: Math.min(a, b, list.length),
      to: Math.min(Math.max(a, b), list.length),
      shiftNs,
    }),
  );
