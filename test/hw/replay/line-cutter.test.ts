import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineCutter } from '../../../hw/replay/line-cutter.ts';

const MAX_LINE_BYTES = 20;

function cut(parts: readonly Uint8Array[]): string[] {
  const cutter = new LineCutter(MAX_LINE_BYTES);
  const lines: string[] = [];
  const take = () => {
    expect(cutter.number).toBe(lines.length + 1);
    lines.push(Buffer.from(cutter.bytes.subarray(cutter.start, cutter.end)).toString('latin1'));
  };
  for (const part of parts) {
    cutter.give(part);
    while (cutter.next()) take();
  }
  while (cutter.last()) take();
  return lines;
}

describe('a line cutter', () => {
  it('gives the same lines however the bytes are parted, too long ones cut', () => {
    const line = fc.string({ unit: fc.constantFrom('a', 'b', '\r'), maxLength: 70 });
    const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 });
    fc.assert(
      fc.property(fc.array(line), sizes, (all, partSizes) => {
        const bytes = Buffer.from(all.join('\n'), 'latin1');
        const parts: Uint8Array[] = [];
        for (let at = 0; at < bytes.length; ) {
          const size = partSizes[parts.length % partSizes.length] ?? 1;
          parts.push(bytes.subarray(at, at + size));
          at += size;
        }
        // What stands behind the last line feed is a line only if there is something.
        const expected = all.at(-1) === '' ? all.slice(0, -1) : all;
        expect(cut(parts)).toEqual(expected.map((one) => one.slice(0, MAX_LINE_BYTES + 1)));
      }),
    );
  });
});
