import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toHex } from '../../core/bytes.ts';
import { ByteReader, writeVarint } from '../../core/varint.ts';
import { codeOf } from './coded-error.ts';

function written(value: number): Uint8Array {
  const out = new Uint8Array(10);
  return out.slice(0, writeVarint(out, 0, value));
}

test('reading is the inverse of writing', () => {
  fc.assert(
    fc.property(fc.oneof(fc.maxSafeNat(), fc.nat(300)), (value) => {
      const reader = new ByteReader(written(value), 'TEST');
      expect(reader.varint()).toBe(value);
      reader.end();
    }),
  );
});

test('the least significant seven bits come first', () => {
  expect(toHex(written(0))).toBe('00');
  expect(toHex(written(127))).toBe('7f');
  expect(toHex(written(128))).toBe('8001');
  expect(toHex(written(300))).toBe('ac02');
  expect(toHex(written(Number.MAX_SAFE_INTEGER))).toBe('ffffffffffffff0f');
});

test('random bytes are refused or are the one encoding of an integer', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 10 }), (bytes) => {
      const reader = new ByteReader(bytes, 'TEST');
      const code = codeOf(() => {
        const value = reader.varint();
        reader.end();
        expect(toHex(written(value))).toBe(toHex(bytes));
      });
      expect(code ?? 'TEST').toBe('TEST');
    }),
    { numRuns: 2000 },
  );
});
