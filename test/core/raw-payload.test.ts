import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex } from '../../core/bytes.ts';
import { FRAME_FD, frameDataLength } from '../../core/frame.ts';
import { decodeRawPayload, type RawFrames } from '../../core/raw-payload-decode.ts';
import { RawPayloadEncoder } from '../../core/raw-payload-encode.ts';
import { blockOf, stream, type TestFrame } from './arbitrary-frames.ts';
import { codeOf } from './coded-error.ts';

function encoded(frames: readonly TestFrame[], impliedId: number | undefined): Uint8Array {
  const rows = Uint32Array.from({ length: frames.length }, (_, i) => i);
  return new RawPayloadEncoder().encode(blockOf(frames), rows, impliedId);
}

function shown(frames: RawFrames): unknown[] {
  return Array.from({ length: frames.count }, (_, i) => {
    const at = frames.dataAt[i] ?? 0;
    const end = at + frameDataLength(frames.id[i] ?? 0, frames.length[i] ?? 0);
    return [
      frames.offsetNs[i],
      frames.id[i],
      frames.flags[i],
      frames.length[i],
      frames.rawDlc[i],
      toHex(frames.data.subarray(at, end)),
    ];
  });
}

test('frames come back bit for bit', () => {
  fc.assert(
    fc.property(stream, ({ frames, impliedId }) => {
      const decoded = decodeRawPayload(encoded(frames, impliedId), frames.length, impliedId);
      expect(shown(decoded)).toEqual(shown(blockOf(frames)));
    }),
    { numRuns: 1000 },
  );
});

test('an encoder that is used again writes what a new one writes', () => {
  const used = new RawPayloadEncoder();
  fc.assert(
    fc.property(stream, ({ frames, impliedId }) => {
      const rows = Uint32Array.from({ length: frames.length }, (_, i) => i);
      const again = toHex(used.encode(blockOf(frames), rows, impliedId));
      expect(again).toBe(toHex(encoded(frames, impliedId)));
    }),
  );
});

test('every flipped bit of a payload gives other frames or a code', () => {
  fc.assert(
    fc.property(stream, ({ frames, impliedId }) => {
      const payload = encoded(frames, impliedId);
      const before = shown(blockOf(frames));
      for (let bit = 0; bit < payload.length * 8; bit++) {
        const changed = payload.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
        let after: unknown[] | undefined;
        const code = codeOf(
          () => (after = shown(decodeRawPayload(changed, frames.length, impliedId))),
        );
        if (code === undefined) expect(after).not.toEqual(before);
        else expect(code).toMatch(/^RAW_/);
      }
    }),
    { numRuns: 25 },
  );
}, 60_000);

test('random bytes are refused with a code or are the one encoding of their frames', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 30 }),
      fc.integer({ min: 0, max: 5 }),
      (bytes, count) => {
        const code = codeOf(() => decodeRawPayload(bytes, count, 0xb4));
        expect(code ?? 'RAW_').toMatch(/^RAW_/);
      },
    ),
    { numRuns: 5000 },
  );
});

describe('a payload cannot be made of', () => {
  const frame: TestFrame = {
    offsetNs: 0,
    id: 0xb4,
    flags: 0,
    length: 1,
    rawDlc: 0,
    data: Uint8Array.of(7),
  };
  const codeFor = (change: Partial<TestFrame>) =>
    codeOf(() => encoded([{ ...frame, ...change }], 0xb4));

  test('frames of another stream', () => {
    expect(codeFor({ id: 0xb5 })).toBe('RAW_SHAPE');
  });

  test('frames that no bus carries', () => {
    expect(codeFor({ length: 9, data: new Uint8Array(9) })).toBe('RAW_SHAPE');
    expect(codeFor({ rawDlc: 9 })).toBe('RAW_SHAPE');
    expect(codeFor({ flags: FRAME_FD, length: 65, data: new Uint8Array(65) })).toBe('RAW_SHAPE');
  });

  test('stamps 13 days away', () => {
    expect(codeFor({ offsetNs: 2 ** 50 + 1 })).toBe('RAW_STAMP');
    expect(codeFor({ offsetNs: -(2 ** 50) - 1 })).toBe('RAW_STAMP');
  });
});

test('the padding of a classic frame is not recorded', () => {
  const frame = {
    offsetNs: 0,
    id: 0xb4,
    flags: 0x0f,
    length: 0,
    rawDlc: 0,
    data: new Uint8Array(0),
  };
  const decoded = decodeRawPayload(encoded([frame], 0xb4), 1, 0xb4);
  expect(decoded.flags[0]).toBe(0);
});
