import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { unpackLeaf } from '../../core/inflate.ts';
import { codeOf } from './coded-error.ts';

const content = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 3000 }),
  fc
    .array(fc.constantFrom(0, 1, 7, 255), { minLength: 1, maxLength: 3000 })
    .map((a) => Uint8Array.from(a)),
  fc
    .tuple(fc.integer({ min: 1, max: 40_000 }), fc.nat(255))
    .map(([n, byte]) => new Uint8Array(n).fill(byte)),
);
const options = fc.record({
  level: fc.integer({ min: 0, max: 9 }),
  strategy: fc.constantFrom(
    constants.Z_DEFAULT_STRATEGY,
    constants.Z_HUFFMAN_ONLY,
    constants.Z_RLE,
    constants.Z_FIXED,
  ),
});

function unpacked(body: Uint8Array, inflatedLength: number): Uint8Array {
  return unpackLeaf({ count: 1, inflatedLength, body });
}

test('what zlib deflated comes back, at every level and strategy', () => {
  fc.assert(
    fc.property(content, options, (payload, how) => {
      expect(unpacked(deflateRawSync(payload, how), payload.length)).toEqual(payload);
    }),
  );
});

test('zlib refuses what is refused here, and the other way round', () => {
  fc.assert(
    fc.property(content, options, fc.nat(), fc.nat(7), (payload, how, at, bit) => {
      const body = Uint8Array.from(deflateRawSync(payload, how));
      const place = at % body.length;
      body[place] = (body[place] ?? 0) ^ (1 << bit);
      let ours: Uint8Array | undefined;
      const code = codeOf(() => (ours = unpacked(body, payload.length)));
      expect(code ?? 'INFLATE_').toMatch(/^INFLATE_/);
      expect(ours).toEqual(zlibUnpacked(body, payload.length));
    }),
    { numRuns: 2000 },
  );
});

/** Undefined unless zlib uses all of `body` and gives as much as was declared. */
function zlibUnpacked(body: Uint8Array, length: number): Uint8Array | undefined {
  try {
    const result = inflateRawSync(body, { info: true, maxOutputLength: 1 << 20 }) as unknown as {
      readonly buffer: Uint8Array;
      readonly engine: { readonly bytesWritten: number };
    };
    const isWhole = result.engine.bytesWritten === body.length && result.buffer.length === length;
    return isWhole ? Uint8Array.from(result.buffer) : undefined;
  } catch {
    return undefined;
  }
}

test('half a megabyte that would grow to five hundred stops at the declared length', () => {
  const bomb = deflateRawSync(new Uint8Array(500 << 20), { level: 9 });
  expect(codeOf(() => unpacked(bomb, 1000))).toBe('INFLATE_LENGTH');
});
