import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toHex } from '../../core/bytes.ts';
import { encodeCbor } from '../../core/cbor.ts';
import { decodePackedLeaf, encodeLeaf, encodePackedLeaf, leafAad } from '../../core/leaf.ts';
import { codeOf } from './coded-error.ts';

const uint32 = fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.nat(300));

test('leaf bytes are what the codec writes', () => {
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.constantFrom(new Uint8Array(65_535), new Uint8Array(65_536)),
  );
  const stream = fc.constantFrom(
    'raw/can0/0B4',
    `signal/${'s'.repeat(20)}`,
    `signal/${'s'.repeat(290)}`,
  );
  fc.assert(
    fc.property(stream, uint32, uint32, payload, (name, seq, count, bytes) => {
      const leaf = { stream: name, seq, count, payload: bytes };
      expect(toHex(encodeLeaf(leaf))).toBe(toHex(encodeCbor([1, 0, name, seq, count, bytes])));
    }),
  );
});

test('additional data is what the codec writes', () => {
  const tag = new Uint8Array(16).fill(1);
  const handle = new Uint8Array(16).fill(2);
  fc.assert(
    fc.property(uint32, (seq) => {
      expect(toHex(leafAad(tag, seq, handle))).toBe(toHex(encodeCbor([1, tag, seq, handle])));
    }),
  );
});

test('a packed leaf comes back, and random bytes give a code', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1 << 17 }),
      fc.integer({ min: 0, max: 16 << 20 }),
      fc.uint8Array({ minLength: 1, maxLength: 50 }),
      (count, inflatedLength, body) => {
        const packed = { count, inflatedLength, body };
        expect(decodePackedLeaf(encodePackedLeaf(packed))).toEqual(packed);
      },
    ),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
      codeOf(() => {
        expect(toHex(encodePackedLeaf(decodePackedLeaf(bytes)))).toBe(toHex(bytes));
      });
    }),
    { numRuns: 2000 },
  );
});
