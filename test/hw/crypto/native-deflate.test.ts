import fc from 'fast-check';
import { expect, test } from 'vitest';
import { unpackLeaf } from '../../../core/inflate.ts';
import { packLeaf } from '../../../core/sealed-leaf.ts';
import { nativeDeflate } from '../../../hw/crypto/native-deflate.ts';

const payloads = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 2000 }),
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 2000 }))
    .map(([unit, times]) =>
      Uint8Array.from({ length: unit.length * times }, (_, i) => unit[i % unit.length] ?? 0),
    ),
);

test('what is packed unpacks, and never takes more room than it had', () => {
  fc.assert(
    fc.property(payloads, (payload) => {
      const leaf = { stream: 'raw/can0/001', seq: 1, count: 1, payload };
      const packed = packLeaf(leaf, nativeDeflate);
      expect(unpackLeaf(packed)).toEqual(payload);
      expect(packed.body.length).toBeLessThanOrEqual(payload.length);
      // The cap on unpacking is a factor of the packed size, so no honest leaf may pass it.
      expect(packed.inflatedLength === 0 || packed.inflatedLength === payload.length).toBe(true);
    }),
  );
});

test('the longest run that a leaf may hold unpacks', () => {
  const payload = new Uint8Array(16 << 20);
  const leaf = { stream: 'raw/can0/001', seq: 1, count: 1, payload };
  expect(unpackLeaf(packLeaf(leaf, nativeDeflate)).length).toBe(payload.length);
});
