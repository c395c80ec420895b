import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sha256, sha512 } from '../../../core/hash.ts';
import { nativeSha256, nativeSha512 } from '../../../hw/crypto/native-hash.ts';

test('hashes are those of the reference', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (message) => {
      expect([...nativeSha256(message)]).toEqual([...sha256(message)]);
      expect([...nativeSha512(message)]).toEqual([...sha512(message)]);
    }),
  );
});

test('a hash is the caller’s own: the next call does not change it', () => {
  const first = nativeSha256(Uint8Array.of(1));
  const copy = first.slice();
  nativeSha512(Uint8Array.of(2));
  nativeSha256(Uint8Array.of(3));
  expect(first).toEqual(copy);
  expect(first.buffer.byteLength).toBe(32);
});

test('a view into a larger buffer is hashed alone', () => {
  const large = Uint8Array.from({ length: 100 }, (_, i) => i);
  expect([...nativeSha256(large.subarray(10, 20))]).toEqual([...sha256(large.slice(10, 20))]);
});
