/** Random frames of one raw stream, as a bus could have carried them. */
import fc from 'fast-check';
import {
  CAN_EFF_FLAG,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  FRAME_FD,
  type FrameBlock,
  frameDataLength,
} from '../../core/frame.ts';
import { MAX_OFFSET_NS } from '../../core/raw-shape.ts';

export type TestFrame = {
  readonly offsetNs: number;
  readonly id: number;
  readonly flags: number;
  readonly length: number;
  readonly rawDlc: number;
  readonly data: Uint8Array;
};

export type TestStream = {
  readonly impliedId: number | undefined;
  readonly frames: readonly TestFrame[];
};

const steps = fc.oneof(
  fc.constantFrom(0, 1000, 20_000_000, -1000, -5_000_000),
  fc.integer({ min: -50, max: 50 }).map((us) => 10_000_000 + us * 1000),
  fc.integer({ min: -10_000_000, max: 10_000_000 }),
);
const offsets = fc.oneof(
  { arbitrary: fc.array(steps, { minLength: 1, maxLength: 40 }).map(summed), weight: 9 },
  {
    arbitrary: fc.array(fc.integer({ min: -MAX_OFFSET_NS, max: MAX_OFFSET_NS }), {
      minLength: 1,
      maxLength: 5,
    }),
    weight: 1,
  },
);

function summed(differences: readonly number[]): readonly number[] {
  let offset = 0;
  return differences.map((difference) => (offset += difference));
}

const data = fc.oneof(
  fc.uint8Array({ minLength: 64, maxLength: 64 }),
  fc.nat(255).map((byte) => new Uint8Array(64).fill(byte)),
);
const body = fc.oneof(
  fc.record({ kind: fc.constant('data'), length: fc.nat(8), data, low: fc.constant(0) }),
  fc.record({ kind: fc.constant('remote'), length: fc.nat(8), data, low: fc.constant(0) }),
  fc.record({ kind: fc.constant('fd'), length: fc.nat(64), data, low: fc.nat(15) }),
  fc.record({
    kind: fc.constant('raw-dlc'),
    length: fc.integer({ min: 9, max: 15 }),
    data,
    low: fc.constant(0),
  }),
);

function frameOf(
  offsetNs: number,
  id: number,
  of: { kind: string; length: number; data: Uint8Array; low: number },
): TestFrame {
  const remote = of.kind === 'remote' ? CAN_RTR_FLAG : 0;
  const frameId = (id | remote) >>> 0;
  const length = of.kind === 'raw-dlc' ? 8 : of.length;
  return {
    offsetNs,
    id: frameId,
    flags: of.kind === 'fd' ? FRAME_FD | of.low : 0,
    length,
    rawDlc: of.kind === 'raw-dlc' ? of.length : 0,
    data: of.data.slice(0, frameDataLength(frameId, length)),
  };
}

const anyId = fc.oneof(
  fc.nat(0x7ff),
  fc.nat(0x1fffffff).map((id) => (id | CAN_EFF_FLAG) >>> 0),
);

/** A stream whose name implies the id, of error frames, or of a set of ids. */
export const stream: fc.Arbitrary<TestStream> = fc
  .tuple(fc.constantFrom('implied', 'error', 'set'), anyId, offsets)
  .chain(([kind, impliedId, at]) => {
    const ids =
      kind === 'implied'
        ? fc.constant(impliedId)
        : kind === 'error'
          ? fc.nat(0x1ff).map((bits) => (CAN_ERR_FLAG | bits) >>> 0)
          : anyId;
    const few = fc.array(body, { minLength: 1, maxLength: 4 });
    return fc
      .tuple(
        few,
        fc.array(fc.tuple(fc.nat(), ids, data), { minLength: at.length, maxLength: at.length }),
      )
      .map(
        ([bodies, picks]): TestStream => ({
          impliedId: kind === 'implied' ? impliedId : undefined,
          frames: picks.map(([pick, id, bytes], i) =>
            frameOf(at[i] ?? 0, id, {
              ...(bodies[pick % bodies.length] ?? frameBody),
              data: bytes,
            }),
          ),
        }),
      );
  });

const frameBody = { kind: 'data', length: 0, low: 0 };

export function blockOf(frames: readonly TestFrame[]): FrameBlock {
  let at = 0;
  const dataAt = frames.map((frame) => {
    at += frame.data.length;
    return at - frame.data.length;
  });
  const bytes = new Uint8Array(at);
  frames.forEach((frame, i) => {
    bytes.set(frame.data, dataAt[i] ?? 0);
  });
  return {
    baseNs: 0n,
    count: frames.length,
    offsetNs: Float64Array.from(frames, (frame) => frame.offsetNs),
    bus: new Uint8Array(frames.length),
    id: Uint32Array.from(frames, (frame) => frame.id),
    flags: Uint8Array.from(frames, (frame) => frame.flags),
    length: Uint8Array.from(frames, (frame) => frame.length),
    rawDlc: Uint8Array.from(frames, (frame) => frame.rawDlc),
    dataAt: Uint32Array.from(dataAt),
    data: bytes,
    cursor: new Uint32Array(frames.length),
  };
}
