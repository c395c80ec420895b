import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromHex, toHex } from '../../../core/bytes.ts';
import { nativeAead } from '../../../hw/crypto/native-aead.ts';

const key = new Uint8Array(32).fill(1);
const aad = Uint8Array.of(1, 2, 3);

test('AES-256-GCM gives the known answers of its specification', () => {
  // McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13 and 14: key, nonce and text zero.
  const zeroKey = new Uint8Array(32);
  const nothing = new Uint8Array(0);
  expect(toHex(nativeAead.seal(zeroKey, nothing, nothing))).toBe(
    '530f8afbc74536b9a963b4f1c4cb738b',
  );
  expect(toHex(nativeAead.seal(zeroKey, new Uint8Array(16), nothing))).toBe(
    'cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919',
  );
  const sealed = fromHex('cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919');
  expect(nativeAead.open(zeroKey, sealed, nothing)).toEqual(new Uint8Array(16));
});

test('what is sealed opens under the same key and data, and under no other', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(), fc.nat(7), (text, at, bit) => {
      const sealed = nativeAead.seal(key, text, aad);
      expect(sealed.length).toBe(text.length + 16);
      expect(nativeAead.open(key, sealed, aad)).toEqual(text);
      const changed = sealed.slice();
      const place = at % sealed.length;
      changed[place] = (changed[place] ?? 0) ^ (1 << bit);
      expect(nativeAead.open(key, changed, aad)).toBeUndefined();
      expect(nativeAead.open(key.with(31, 2), sealed, aad)).toBeUndefined();
      expect(nativeAead.open(key, sealed, aad.with(0, 9))).toBeUndefined();
    }),
  );
});

test.each([0, 1, 15])('%i bytes are no sealed leaf', (length) => {
  expect(nativeAead.open(key, new Uint8Array(length), aad)).toBeUndefined();
});

test('a truncated tag is not enough', () => {
  const sealed = nativeAead.seal(key, Uint8Array.of(1, 2, 3), aad);
  for (let cut = 1; cut < 16; cut++) {
    expect(nativeAead.open(key, sealed.subarray(0, -cut), aad)).toBeUndefined();
  }
});
