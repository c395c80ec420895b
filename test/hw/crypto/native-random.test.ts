import { expect, test } from 'vitest';
import { nativeRandom } from '../../../hw/crypto/native-random.ts';

test('no two of thousands are alike, of any length, and none is empty of randomness', () => {
  const seen = new Set<string>();
  for (let i = 0; i < 5000; i++) {
    const bytes = nativeRandom(16 + (i % 17));
    expect(bytes).toHaveLength(16 + (i % 17));
    seen.add(Buffer.from(bytes.subarray(0, 16)).toString('hex'));
  }
  expect(seen.size).toBe(5000);
  expect(seen.has('0'.repeat(32))).toBe(false);
});

test('bytes once given out are their owner’s alone', () => {
  const bytes = nativeRandom(32);
  const copy = Uint8Array.from(bytes);
  nativeRandom(4096);
  nativeRandom(4096);
  expect(bytes).toEqual(copy);
});

test('more than a pool holds comes as well', () => {
  const bytes = nativeRandom(10_000);
  expect(bytes).toHaveLength(10_000);
  expect(new Set(bytes).size).toBeGreaterThan(200);
});
