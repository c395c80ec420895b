import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CandumpParser } from '../../core/candump.ts';
import { formatCandumpBlock, formatCandumpLine } from '../../core/candump-format.ts';
import {
  CAN_EFF_FLAG,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  FRAME_FD,
  type Frame,
  frameAt,
} from '../../core/frame.ts';
import { FrameBlockBuilder, frameBlock } from '../../core/frame-block-builder.ts';

const BUSES = ['can0', 'vcan-fifteen-ch', 'c'];
const FD_LENGTHS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64];

const frameId = fc.oneof(
  fc.integer({ min: 0, max: 0x7ff }),
  fc.integer({ min: 0, max: 0x1fffffff }).map((id) => CAN_EFF_FLAG + id),
  fc.integer({ min: 0, max: 0x1fffffff }).map((id) => CAN_ERR_FLAG + id),
);
const rawDlcOf = (length: number) =>
  length === 8 ? fc.constantFrom(0, 9, 10, 11, 12, 13, 14, 15) : fc.constant(0);
const classicLength = fc.integer({ min: 0, max: 8 });
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

const content = fc.oneof(
  classicLength.chain((length) =>
    fc.record({ length: fc.constant(length), rawDlc: rawDlcOf(length), data: bytes(length) }),
  ),
  classicLength.chain((length) =>
    fc.record({
      remote: fc.constant(true),
      length: fc.constant(length),
      rawDlc: rawDlcOf(length),
      data: bytes(0),
    }),
  ),
  fc
    .tuple(fc.constantFrom(...FD_LENGTHS), fc.integer({ min: 0, max: 15 }))
    .chain(([length, nibble]) =>
      fc.record({
        flags: fc.constant(FRAME_FD | nibble),
        length: fc.constant(length),
        rawDlc: fc.constant(0),
        data: bytes(length),
      }),
    ),
);

const frame: fc.Arbitrary<Frame> = fc
  .tuple(frameId, content, fc.integer({ min: 0, max: 2 }), fc.bigInt({ min: 0n, max: 8_000_000n }))
  .chain(([id, rest, bus, seconds]) =>
    fc.bigInt({ min: 0n, max: 999_999_999n }).map((nanoseconds) => ({
      timeNs: (1_700_000_000n + seconds) * 1_000_000_000n + nanoseconds,
      bus,
      id: 'remote' in rest ? id + CAN_RTR_FLAG : id,
      flags: 'flags' in rest ? rest.flags : 0,
      length: rest.length,
      rawDlc: rest.rawDlc,
      data: rest.data,
      cursor: 0,
    })),
  );

function parseLines(text: Uint8Array): { frames: Frame[]; names: readonly string[] } {
  const parser = new CandumpParser();
  const builder = new FrameBlockBuilder(100);
  let start = 0;
  for (let line = 1; start < text.length; line++) {
    const end = text.indexOf(0x0a, start);
    expect(parser.parseLine(text, start, end, builder, line)).toBe('frame');
    start = end + 1;
  }
  const block = builder.frames();
  const frames = Array.from({ length: block.count }, (_, i) => frameAt(block, i));
  return { frames, names: parser.buses };
}

describe('candump text', () => {
  it('parses back to the frames it was written from', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 40 }), (frames) => {
        const { frames: parsed, names } = parseLines(formatCandumpBlock(frameBlock(frames), BUSES));
        const named = (list: readonly Frame[], buses: readonly string[]) =>
          list.map((one) => ({ ...one, bus: buses[one.bus], cursor: 0 }));
        expect(named(parsed, names)).toEqual(named(frames, BUSES));
      }),
      { numRuns: 500 },
    );
  });

  const one: Frame = {
    timeNs: 46_408_584_930_000n,
    bus: 0,
    id: 0x123,
    flags: 0,
    length: 2,
    rawDlc: 0,
    data: Uint8Array.of(0xab, 0x01),
    cursor: 0,
  };
  const text = (change: Partial<Frame>) =>
    formatCandumpLine(frameBlock([{ ...one, ...change }]), 0, BUSES);

  it.each<[string, Partial<Frame>]>([
    ['(46408.584930) can0 123#AB01', {}],
    ['(0.000000) can0 123#AB01', { timeNs: 0n }],
    ['(0.000001) can0 123#AB01', { timeNs: 1000n }],
    ['(0.000000001) can0 123#AB01', { timeNs: 1n }],
    ['(9223372036.854775807) can0 123#AB01', { timeNs: 2n ** 63n - 1n }],
    ['(46408.584930) can0 00000123#AB01', { id: CAN_EFF_FLAG + 0x123 }],
    ['(46408.584930) can0 20000123#AB01', { id: CAN_ERR_FLAG + 0x123 }],
    ['(46408.584930) can0 123#R2', { id: CAN_RTR_FLAG + 0x123, data: new Uint8Array(0) }],
    ['(46408.584930) can0 123#R', { id: CAN_RTR_FLAG + 0x123, length: 0, data: new Uint8Array(0) }],
    ['(46408.584930) can0 123##5AB01', { flags: FRAME_FD | 5 }],
    ['(46408.584930) can0 123##0AB01', { flags: FRAME_FD }],
  ])('is %s', (line, change) => {
    expect(text(change)).toBe(line);
  });

  it('has 9 digits after every point when asked for nanoseconds', () => {
    const line = formatCandumpLine(frameBlock([one]), 0, BUSES, { nanoseconds: true });
    expect(line).toBe('(46408.584930000) can0 123#AB01');
  });

  it('is exact where offsets come near 2^53', () => {
    const far = one.timeNs + BigInt(Number.MAX_SAFE_INTEGER);
    const block = frameBlock([one, { ...one, timeNs: far }, { ...one, timeNs: 0n }]);
    expect(formatCandumpLine(block, 1, BUSES)).toBe('(9053607.839670991) can0 123#AB01');
    expect(formatCandumpLine(block, 2, BUSES)).toBe('(0.000000) can0 123#AB01');
  });

  it('is refused as CANDUMP_TIME for a stamp before 1970', () => {
    expect(() => text({ timeNs: -1n })).toThrow(expect.objectContaining({ code: 'CANDUMP_TIME' }));
  });

  it.each([3, 255])('is refused as CANDUMP_BUS for bus %d, which has no name', (bus) => {
    expect(() => text({ bus })).toThrow(expect.objectContaining({ code: 'CANDUMP_BUS' }));
  });

  it.each(['', 'a b', 'sixteen-letters-', 'line\nfeed', 'a/b', '.'])(
    'is refused as CANDUMP_BUS for the name %j',
    (name) => {
      expect(() => formatCandumpLine(frameBlock([one]), 0, [name])).toThrow(
        expect.objectContaining({ code: 'CANDUMP_BUS' }),
      );
    },
  );
});
