/** What every record format must keep, as tests: one value, one encoding; hostile bytes, coded errors. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toHex } from '../../core/bytes.ts';
import { codeOf } from './coded-error.ts';

type Codec<T> = {
  readonly encode: (value: T) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => T;
};

export function testCodec<T>(name: string, values: fc.Arbitrary<T>, codec: Codec<T>): void {
  const { encode, decode } = codec;

  test(`${name}: decoding gives back what was encoded`, () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(decode(encode(value))).toEqual(value);
      }),
    );
  });

  const isRefusedOrCanonical = (bytes: Uint8Array) => {
    let value: T | undefined;
    const code = codeOf(() => {
      value = decode(bytes);
    });
    if (code === undefined) expect(toHex(encode(value as T))).toBe(toHex(bytes));
    else expect(code).toMatch(/^[A-Z][A-Z0-9_]+$/);
  };

  test(`${name}: random bytes are refused with a code`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        isRefusedOrCanonical(bytes);
      }),
    );
  });

  test(`${name}: changed bytes are refused with a code, or are the one encoding of another value`, () => {
    fc.assert(
      fc.property(values, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, at, mask) => {
        const bytes = encode(value);
        const changed = bytes.slice();
        const index = at % bytes.length;
        changed[index] = (bytes[index] ?? 0) ^ mask;
        isRefusedOrCanonical(changed);
        isRefusedOrCanonical(bytes.slice(0, index));
      }),
    );
  });
}
