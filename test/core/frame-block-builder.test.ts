import { describe, expect, it } from 'vitest';
import { CAN_RTR_FLAG, type Frame, frameAt, frameData, frameTimeNs } from '../../core/frame.ts';
import { FrameBlockBuilder, frameBlock } from '../../core/frame-block-builder.ts';

const plain: Frame = {
  timeNs: 5_000_000_000n,
  bus: 0,
  id: 0x100,
  flags: 0,
  length: 1,
  rawDlc: 0,
  data: Uint8Array.of(1),
  cursor: 0,
};

describe('a frame block', () => {
  it('gives back the frames it was built from, back-steps and remote frames included', () => {
    const frames: Frame[] = [
      plain,
      { ...plain, timeNs: -1n, cursor: 2 },
      { ...plain, id: CAN_RTR_FLAG + 1, length: 8, rawDlc: 9, data: new Uint8Array(0) },
      { ...plain, timeNs: 2n ** 52n, length: 64, flags: 0x80, data: new Uint8Array(64).fill(7) },
      plain,
    ];
    const block = frameBlock(frames);
    expect(block.baseNs).toBe(5_000_000_000n);
    expect(frames.map((_, i) => frameAt(block, i))).toEqual(frames);
  });

  it('grows for the data of 64-byte frames', () => {
    const frames = Array.from({ length: 50 }, (_, i) => ({
      ...plain,
      length: 64,
      data: new Uint8Array(64).fill(i),
    }));
    const block = frameBlock(frames);
    expect(frames.map((_, i) => frameData(block, i))).toEqual(frames.map((one) => one.data));
  });

  it('does not take a stamp that its offsets cannot say exactly', () => {
    const far = { ...plain, timeNs: plain.timeNs + 2n ** 53n };
    expect(() => frameBlock([plain, far])).toThrow(RangeError);
    expect(() => frameBlock([far, plain])).toThrow(RangeError);
    const last = { ...plain, timeNs: plain.timeNs + BigInt(Number.MAX_SAFE_INTEGER) };
    expect(frameTimeNs(frameBlock([plain, last]), 1)).toBe(last.timeNs);
  });

  it('takes nothing later than its span, nothing past its capacity, and starts anew when cleared', () => {
    const builder = new FrameBlockBuilder(2, 1000);
    expect(builder.push(1, 0, 0, 1, 0, 0, 0, 1)).toBe(true);
    expect(builder.push(1, 1001, 0, 2, 0, 0, 0, 2)).toBe(false);
    expect(builder.push(1, 1000, 0, 3, 0, 0, 0, 3)).toBe(true);
    expect(builder.push(1, 1000, 0, 4, 0, 0, 0, 4)).toBe(false);
    expect([...builder.frames().id]).toEqual([1, 3]);
    builder.clear();
    expect(builder.push(9, 0, 0, 5, 0, 0, 0, 5)).toBe(true);
    expect(builder.frames()).toMatchObject({ baseNs: 9_000_000_000n, count: 1 });
  });
});
