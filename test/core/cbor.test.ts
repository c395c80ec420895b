import { encode as cborgEncode } from 'cborg';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toHex } from '../../core/bytes.ts';
import { type CborValue, decodeCbor, encodeCbor } from '../../core/cbor.ts';
import { codeOf } from './coded-error.ts';

const integer = fc.oneof(
  fc.maxSafeInteger(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  fc.constantFrom(0, -0, 23, 24, 255, 256, 65_535, 65_536, -1, -24, -25, -256, -257, 2 ** 31),
  fc.constantFrom(2 ** 32 - 1, 2 ** 32, -(2 ** 31), -(2 ** 31) - 1, -(2 ** 32), -(2 ** 32) - 1),
);
const scalar: fc.Arbitrary<CborValue> = fc.oneof(
  integer,
  fc.string({ unit: 'binary', maxLength: 80 }).filter((text) => !/\p{Surrogate}/u.test(text)),
  fc.uint8Array({ maxLength: 300 }),
);
const { value } = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof({ maxDepth: 7 }, scalar, fc.array(tie('value'), { maxLength: 6 })),
}));

function plain(of: CborValue): unknown {
  if (typeof of === 'number' || typeof of === 'bigint') return BigInt(of);
  if (typeof of === 'string') return of;
  return of instanceof Uint8Array ? toHex(of) : of.map(plain);
}

test('decoding is the inverse of encoding', () => {
  fc.assert(
    fc.property(value, (item) => {
      expect(plain(decodeCbor(encodeCbor(item)))).toEqual(plain(item));
    }),
  );
});

test('cborg, another implementation, writes the same bytes', () => {
  fc.assert(
    fc.property(value, (item) => {
      const zero = (of: CborValue): CborValue =>
        of === 0 ? 0 : Array.isArray(of) ? of.map(zero) : of; // cborg writes -0 as a float
      expect(toHex(encodeCbor(item))).toBe(toHex(cborgEncode(zero(item))));
    }),
  );
});

test('integers come back as numbers up to 2^53 - 1 and as bigints beyond', () => {
  expect(decodeCbor(encodeCbor(2n ** 53n - 1n))).toBe(2 ** 53 - 1);
  expect(decodeCbor(encodeCbor(2n ** 53n))).toBe(2n ** 53n);
  expect(decodeCbor(encodeCbor(-(2n ** 53n) + 1n))).toBe(-(2 ** 53) + 1);
  expect(decodeCbor(encodeCbor(-(2n ** 53n)))).toBe(-(2n ** 53n));
});

test('random bytes are refused with a code, or are the one encoding of what they say', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const code = codeOf(() => {
        expect(toHex(encodeCbor(decodeCbor(bytes)))).toBe(toHex(bytes));
      });
      expect(code ?? 'CBOR_').toMatch(/^CBOR_/);
    }),
    { numRuns: 5000 },
  );
});

test('every flipped bit of an item gives another value or a code', () => {
  const bytes = encodeCbor([1, 0, 'raw/can0/0B4', new Uint8Array(16), -70_000, [], [2n ** 60n]]);
  const before = plain(decodeCbor(bytes));
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = bytes.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
    let after: unknown;
    if (codeOf(() => (after = plain(decodeCbor(changed)))) === undefined) {
      expect(after).not.toEqual(before);
    }
  }
});

test('what has no encoding is refused before it is written', () => {
  expect(codeOf(() => encodeCbor(0.5))).toBe('CBOR_INTEGER_RANGE');
  expect(codeOf(() => encodeCbor(2 ** 53))).toBe('CBOR_INTEGER_RANGE');
  expect(codeOf(() => encodeCbor(2n ** 64n))).toBe('CBOR_INTEGER_RANGE');
  expect(codeOf(() => encodeCbor(-(2n ** 63n) - 1n))).toBe('CBOR_INTEGER_RANGE');
  expect(codeOf(() => encodeCbor('\ud800'))).toBe('CBOR_TEXT');
});

test('what was encoded is not overwritten by the next encoding', () => {
  const first = encodeCbor([1, 2, 3]);
  encodeCbor(['something', 'longer']);
  expect(toHex(first)).toBe('83010203');
});

test('decoded byte strings are copies', () => {
  const bytes = encodeCbor(new Uint8Array(4));
  const decoded = decodeCbor(bytes);
  bytes.fill(0xff);
  expect(decoded).toEqual(new Uint8Array(4));
});
