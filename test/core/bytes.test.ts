import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromHex, toHex, toHexByPairs } from '../../core/bytes.ts';

test('hexadecimal is the same with and without the engine’s own method', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(toHexByPairs(bytes)).toBe(toHex(bytes));
      expect(fromHex(toHex(bytes))).toEqual(bytes);
    }),
  );
});
