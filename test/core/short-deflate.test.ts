import { inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { unpackLeaf } from '../../core/inflate.ts';
import { deflateShort, MAX_SHORT_BYTES } from '../../core/short-deflate.ts';
import { shortPayloads } from './short-payloads.ts';

test('zlib and our own inflater give back what was deflated', () => {
  let smaller = 0;
  fc.assert(
    fc.property(shortPayloads, (payload) => {
      const body = deflateShort(payload);
      if (body === undefined) return;
      smaller += 1;
      expect(body.length).toBeLessThan(payload.length);
      expect(new Uint8Array(inflateRawSync(body))).toEqual(payload);
      expect(unpackLeaf({ count: 1, inflatedLength: payload.length, body })).toEqual(payload);
    }),
    { numRuns: 2000 },
  );
  expect(smaller).toBeGreaterThan(500);
});

test('every length and every distance of a match comes back', () => {
  for (let length = 3; length <= 258; length++) {
    const distance = 1 + ((length * 37) % (MAX_SHORT_BYTES - length));
    const unit = Uint8Array.from({ length: distance }, (_, i) => (i * 167) >>> (i % 3));
    const payload = Uint8Array.from({ length: distance + length }, (_, i) => {
      return unit[i % distance] ?? 0;
    });
    const body = deflateShort(payload);
    if (body !== undefined) expect(new Uint8Array(inflateRawSync(body))).toEqual(payload);
  }
  for (let distance = 1; distance <= MAX_SHORT_BYTES - 20; distance++) {
    // Twenty zeros, counted up to the same twenty zeros: bytes between that no match is made of.
    const payload = new Uint8Array(distance + 20);
    for (let i = 20; i < distance; i++) payload[i] = 1 + (i % 3) + ((i * i) % 140);
    const body = deflateShort(payload);
    if (body !== undefined) expect(new Uint8Array(inflateRawSync(body))).toEqual(payload);
  }
});

test('the bytes stay what they are', () => {
  const payload = new TextEncoder().encode('abcabcabcabd abcabd abd abd, and so on and so on');
  expect(Buffer.from(deflateShort(payload) ?? []).toString('hex')).toMatchInlineSnapshot(
    `"4b4c4a86a114053805c63a0a8979290ac5f90af979081600"`,
  );
});

test('what would not shrink is left as it is', () => {
  expect(deflateShort(new Uint8Array(0))).toBeUndefined();
  expect(deflateShort(Uint8Array.of(1, 2, 3))).toBeUndefined();
  const allBytesTwice = Uint8Array.from({ length: MAX_SHORT_BYTES }, (_, i) => i ^ (i >> 8));
  expect(deflateShort(allBytesTwice)).toBeUndefined();
});
