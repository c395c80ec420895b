import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CandumpParser, MAX_CANDUMP_LINE_BYTES } from '../../core/candump.ts';
import { formatCandumpLine } from '../../core/candump-format.ts';
import { CANDUMP_REASONS } from '../../core/candump-reason.ts';
import { CAN_EFF_FLAG, CAN_ERR_FLAG, CAN_RTR_FLAG, FRAME_FD } from '../../core/frame.ts';
import { FrameBlockBuilder, frameBlock } from '../../core/frame-block-builder.ts';
import { bytesOf, parseBytes, parseText } from './candump-lines.ts';

const stamped = (rest: string) => `(1.000000) ${rest}`;

describe('a candump line', () => {
  it('gives stamp, bus, id, length, data and cursor', () => {
    const { outcome, frame, buses } = parseText('(1700000000.123456) can0 1F4#0A0B');
    expect(outcome).toBe('frame');
    expect(buses).toEqual(['can0']);
    expect(frame).toEqual({
      timeNs: 1_700_000_000_123_456_000n,
      bus: 0,
      id: 0x1f4,
      flags: 0,
      length: 2,
      rawDlc: 0,
      data: Uint8Array.of(0x0a, 0x0b),
      cursor: 7,
    });
  });

  it.each([
    ['(0.000000) can0 123#', 0n],
    ['(0000046408.584930) can0 123#', 46_408_584_930_000n],
    ['(1.000000001) can0 123#', 1_000_000_001n],
    ['(9223372035.999999999) can0 123#', 9_223_372_035_999_999_999n],
  ])('%s has the stamp %s ns', (line, timeNs) => {
    expect(parseText(line)).toMatchObject({ outcome: 'frame', frame: { timeNs } });
  });

  it.each([
    ['7FF#', 0x7ff],
    ['000007FF#', CAN_EFF_FLAG + 0x7ff],
    ['1FFFFFFF#', CAN_EFF_FLAG + 0x1fffffff],
    ['20000004#', CAN_ERR_FLAG + 4],
    ['3FFFFFFF#', 0x3fffffff],
    ['123#R', CAN_RTR_FLAG + 0x123],
    ['00000123#r', CAN_EFF_FLAG + CAN_RTR_FLAG + 0x123],
  ])('%s has the id %d with its flag bits', (text, id) => {
    expect(parseText(stamped(`can0 ${text}`))).toMatchObject({ outcome: 'frame', frame: { id } });
  });

  it.each([
    ['123#R8', 8, 0],
    ['123#R0', 0, 0],
    ['123#R8_A', 8, 10],
    ['123#1122334455667788_F', 8, 15],
    ['123#1122334455667788', 8, 0],
  ])('%s has the length %d and the raw DLC %d', (text, length, rawDlc) => {
    const parsed = parseText(stamped(`can0 ${text}`));
    expect(parsed).toMatchObject({ outcome: 'frame', frame: { length, rawDlc } });
  });

  it('gives a remote frame no data bytes, whatever its DLC', () => {
    expect(parseText(stamped('can0 123#R5')).frame).toMatchObject({
      length: 5,
      data: new Uint8Array(0),
    });
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64])(
    'can be a CAN FD frame of %d bytes, its flags nibble kept verbatim',
    (length) => {
      const { outcome, frame } = parseText(stamped(`can0 123##B${'5A'.repeat(length)}`));
      expect(outcome).toBe('frame');
      expect(frame).toMatchObject({ flags: FRAME_FD | 0xb, length });
      expect(frame.data).toEqual(new Uint8Array(length).fill(0x5a));
    },
  );

  it.each([
    ['lower case digits', '(1.000000) can0 1ab#cdef'],
    ['blanks that align interface names', '(1.000000)   \t can0   1AB#CDEF'],
    ['blanks and CR at the end', '(1.000000) can0 1AB#CDEF \t \r'],
    ['the received mark of candump -x', '(1.000000) can0 1AB#CDEF R'],
    ['the sent mark of candump -x', '(1.000000) can0 1AB#CDEF T\r'],
  ])('may have %s', (_, line) => {
    const { outcome, frame } = parseText(line);
    expect(outcome).toBe('frame');
    expect(formatCandumpLine(frameBlock([frame]), 0, ['can0'])).toBe('(1.000000) can0 1AB#CDEF');
  });

  it.each(['', ' ', '\r', '\t \r'])('%j is blank', (line) => {
    expect(parseText(line).outcome).toBe('blank');
  });
});

const MALFORMED: readonly (readonly [keyof typeof CANDUMP_REASONS, string])[] = [
  ['CANDUMP_LINE_TOO_LONG', `(1.000000) can0 123#${'0'.repeat(MAX_CANDUMP_LINE_BYTES)}`],
  ['CANDUMP_COMMENT', '# (1.000000) can0 123#'],
  ['CANDUMP_COMMENT', '; recorded on a Monday'],
  ['CANDUMP_DROPCOUNT', "DROPCOUNT: dropped 3 CAN frames on 'can0' socket (total drops 3)"],
  ['CANDUMP_TIME', 'can0 123#'],
  ['CANDUMP_TIME', ' (1.000000) can0 123#'],
  ['CANDUMP_TIME', 'DROPC'],
  ['CANDUMP_TIME', '('],
  ['CANDUMP_TIME', '(1'],
  ['CANDUMP_TIME', '(.000000) can0 123#'],
  ['CANDUMP_TIME', '(1) can0 123#'],
  ['CANDUMP_TIME', '(-1.000000) can0 123#'],
  ['CANDUMP_TIME', '(1.00000) can0 123#'],
  ['CANDUMP_TIME', '(1.0000000) can0 123#'],
  ['CANDUMP_TIME', '(1.0000000000) can0 123#'],
  ['CANDUMP_TIME', '(1.00000A) can0 123#'],
  ['CANDUMP_TIME', '(1.000000 can0 123#'],
  ['CANDUMP_TIME', '(1.000000)can0 123#'],
  ['CANDUMP_TIME', '(1.000000)'],
  ['CANDUMP_TIME', '(9223372036.000000) can0 123#'],
  ['CANDUMP_TIME', `(${'9'.repeat(400)}.000000) can0 123#`],
  ['CANDUMP_TIME', '(2026-11-23 08:00:00.000000) can0 123#'],
  ['CANDUMP_BUS', stamped('sixteen-letters- 123#')],
  ['CANDUMP_BUS', stamped('can/0 123#')],
  ['CANDUMP_BUS', stamped('can:0 123#')],
  ['CANDUMP_BUS', stamped('.. 123#')],
  ['CANDUMP_BUS', stamped('can\u00e4 123#')],
  ['CANDUMP_BUS', stamped('can\u0000 123#')],
  ['CANDUMP_ID', stamped('can0')],
  ['CANDUMP_ID', stamped('123#1122')],
  ['CANDUMP_ID', stamped('can0 #11')],
  ['CANDUMP_ID', stamped('can0 12#11')],
  ['CANDUMP_ID', stamped('can0 1234#11')],
  ['CANDUMP_ID', stamped('can0 12345#11')],
  ['CANDUMP_ID', stamped('can0 123456789#11')],
  ['CANDUMP_ID', stamped('can0 800#11')],
  ['CANDUMP_ID', stamped('can0 FFF#11')],
  ['CANDUMP_ID', stamped('can0 40000000#11')],
  ['CANDUMP_ID', stamped('can0 80000123#11')],
  ['CANDUMP_ID', stamped('can0 FFFFFFFF#11')],
  ['CANDUMP_ID', stamped('can0 12G#11')],
  ['CANDUMP_ID', stamped('can0 123 #11')],
  ['CANDUMP_ID', stamped('can0 123')],
  ['CANDUMP_ID', stamped('can0  123   [2]  11 22')],
  ['CANDUMP_DATA', stamped('can0 123#1')],
  ['CANDUMP_DATA', stamped('can0 123#112')],
  ['CANDUMP_DATA', stamped('can0 123#GG')],
  ['CANDUMP_DATA', stamped('can0 123#11.22')],
  ['CANDUMP_DATA', stamped('can0 123##0112')],
  ['CANDUMP_LENGTH', stamped(`can0 123#${'00'.repeat(9)}`)],
  ['CANDUMP_LENGTH', stamped(`can0 123##4${'00'.repeat(9)}`)],
  ['CANDUMP_LENGTH', stamped(`can0 123##4${'00'.repeat(63)}`)],
  ['CANDUMP_LENGTH', stamped(`can0 123##4${'00'.repeat(65)}`)],
  ['CANDUMP_LENGTH', stamped('can0 123#R9')],
  ['CANDUMP_LENGTH', stamped('can0 123#RF')],
  ['CANDUMP_DLC', stamped('can0 123#1122334455667788_8')],
  ['CANDUMP_DLC', stamped('can0 123#1122334455667788_')],
  ['CANDUMP_DLC', stamped('can0 123#1122334455667788_G')],
  ['CANDUMP_DLC', stamped('can0 123#11223344556677_9')],
  ['CANDUMP_DLC', stamped('can0 123#R7_9')],
  ['CANDUMP_FLAGS', stamped('can0 123##')],
  ['CANDUMP_FLAGS', stamped('can0 123##G')],
  ['CANDUMP_XL_UNSUPPORTED', stamped('can0 45123#81:00:12345678#11223344556677')],
  ['CANDUMP_XL_UNSUPPORTED', stamped(`can0 00123#80:00:00000000#${'FF'.repeat(2048)}`)],
  ['CANDUMP_TRAILING', stamped('can0 123#11 x')],
  ['CANDUMP_TRAILING', stamped('can0 123#11 22')],
  ['CANDUMP_TRAILING', stamped('can0 123#11 R T')],
  ['CANDUMP_TRAILING', stamped('can0 123#R5x')],
  ['CANDUMP_TRAILING', stamped('can0 123#1122334455667788_9F')],
  ['CANDUMP_TRAILING', stamped('can0 123##411_9')],
];

describe('a malformed candump line', () => {
  const named = MALFORMED.map(([reason, line]) => ({
    reason,
    line,
    title: JSON.stringify(line.slice(0, 60)),
  }));

  it.each(named)('gives $reason: $title', ({ reason, line }) => {
    const { outcome, buses } = parseText(line);
    expect(outcome).toBe(reason);
    expect(buses).toEqual([]);
  });

  it('has a test for every reason', () => {
    const tested = new Set<string>(MALFORMED.map(([reason]) => reason)).add('CANDUMP_BUS_LIMIT');
    expect([...tested].sort()).toEqual(Object.keys(CANDUMP_REASONS).sort());
  });

  it('gives CANDUMP_BUS_LIMIT for the 257th bus of a log, and the 256 before stay known', () => {
    const parser = new CandumpParser();
    const builder = new FrameBlockBuilder(300);
    const parse = (bus: string) => {
      const line = bytesOf(stamped(`${bus} 123#`));
      return parser.parseLine(line, 0, line.length, builder, 1);
    };
    for (let i = 0; i < 256; i++) expect(parse(`can${i}`)).toBe('frame');
    expect(parse('can256')).toBe('CANDUMP_BUS_LIMIT');
    expect(parse('can255')).toBe('frame');
    expect(builder.frames().bus[256]).toBe(255);
  });

  it('leaves the block as it was', () => {
    const parser = new CandumpParser();
    const builder = new FrameBlockBuilder(4);
    for (const text of ['can0 123#AABB', 'can0 123#CCDDEEF', 'can0 124#11']) {
      const line = bytesOf(stamped(text));
      parser.parseLine(line, 0, line.length, builder, 1);
    }
    const block = builder.frames();
    expect(block.count).toBe(2);
    expect([...block.data]).toEqual([0xaa, 0xbb, 0x11]);
  });
});

describe('the candump parser', () => {
  it('reads nothing outside the range it was given', () => {
    const parser = new CandumpParser();
    const builder = new FrameBlockBuilder(1);
    const bytes = bytesOf('((1.000000) can0 123#112233');
    expect(parser.parseLine(bytes, 1, bytes.length - 4, builder, 1)).toBe('frame');
    expect([...builder.frames().data]).toEqual([0x11]);
    expect(parser.parseLine(bytes, 1, bytes.length - 3, new FrameBlockBuilder(1), 1)).toBe(
      'CANDUMP_DATA',
    );
  });

  it('takes nothing into a full block, and the same line into the next', () => {
    const parser = new CandumpParser();
    const builder = new FrameBlockBuilder(1);
    const line = bytesOf(stamped('can0 123#11'));
    expect(parser.parseLine(line, 0, line.length, builder, 1)).toBe('frame');
    expect(parser.parseLine(line, 0, line.length, builder, 2)).toBe('block_full');
    builder.clear();
    expect(parser.parseLine(line, 0, line.length, builder, 2)).toBe('frame');
  });

  it('never throws on any bytes, and what it takes prints back to the same frame', () => {
    const letters = fc.constantFrom(...'()0123456789.#RT_ canABCDEF:;\r\t'.split(''));
    const text = fc.array(letters, { maxLength: 40 }).map((parts) => parts.join(''));
    const nearly = fc
      .tuple(fc.constantFrom('(1.000000) can0 ', '(1.000000) ', ''), text)
      .map(([start, rest]) => bytesOf(start + rest));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), nearly), (bytes) => {
        const { outcome, frame, buses } = parseBytes(bytes);
        if (outcome !== 'frame') {
          expect(outcome === 'blank' || outcome in CANDUMP_REASONS).toBe(true);
          return;
        }
        const again = parseText(formatCandumpLine(frameBlock([frame]), 0, buses));
        expect(again).toEqual({ outcome, frame, buses });
      }),
      { numRuns: 3000 },
    );
  });
});
