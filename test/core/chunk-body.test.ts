import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeChunkBody, encodeChunkBody, type SealedLeaf } from '../../core/chunk-body.ts';
import { codeOf } from './coded-error.ts';

const leaves: fc.Arbitrary<readonly SealedLeaf[]> = fc
  .tuple(
    fc.uniqueArray(fc.oneof(fc.nat(40), fc.nat(5000)), { maxLength: 30 }),
    fc.uint8Array({ minLength: 400, maxLength: 400 }),
    fc.array(fc.nat(399), { minLength: 30, maxLength: 30 }),
  )
  .map(([ordinals, bytes, lengths]) =>
    ordinals
      .sort((a, b) => a - b)
      .map((ordinal, i) => ({ ordinal, sealed: bytes.slice(0, lengths[i] ?? 0) })),
  );

test('a body gives back its leaves, and one set of leaves has one body', () => {
  fc.assert(
    fc.property(leaves, (sealed) => {
      const body = encodeChunkBody(sealed);
      expect(decodeChunkBody(body)).toEqual(sealed);
      expect(encodeChunkBody(decodeChunkBody(body))).toEqual(body);
    }),
  );
});

test('a body of many streams has its leaves too', () => {
  const many = Array.from({ length: 200_000 }, (_, ordinal) => ({
    ordinal,
    sealed: Uint8Array.of(7),
  }));
  expect(decodeChunkBody(encodeChunkBody(many)).length).toBe(many.length);
});

test('any other bytes are refused with the code, or are the one body of some leaves', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const code = codeOf(() => {
        expect(encodeChunkBody(decodeChunkBody(bytes))).toEqual(bytes);
      });
      expect([undefined, 'CHUNK_BODY']).toContain(code);
    }),
    { numRuns: 2000 },
  );
});

test('a body that is cut or grown anywhere is refused', () => {
  fc.assert(
    fc.property(leaves, fc.nat(), (sealed, at) => {
      const body = encodeChunkBody(sealed);
      expect(codeOf(() => decodeChunkBody(body.subarray(0, at % body.length)))).toBe('CHUNK_BODY');
      expect(codeOf(() => decodeChunkBody(Uint8Array.from([...body, 0])))).toBe('CHUNK_BODY');
    }),
  );
});
