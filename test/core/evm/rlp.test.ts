import { type NestedUint8Array, RLP } from '@ethereumjs/rlp';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError } from '../../../core/errors.ts';
import { decodeRlp, encodeRlp, type RlpItem } from '../../../core/evm/rlp.ts';

const MAX_BYTES = 100_000;

/** At most four lists inside each other, with strings on both sides of every length class. */
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 3 }),
  fc.uint8Array({ minLength: 54, maxLength: 58 }),
  fc.uint8Array({ minLength: 250, maxLength: 260 }),
);
const nested = (depth: number): fc.Arbitrary<RlpItem> =>
  depth === 0 ? bytes : fc.oneof(bytes, fc.array(nested(depth - 1), { maxLength: 5 }));

describe('RLP', () => {
  it('decodes what it encodes, and encodes as a second implementation does', () => {
    fc.assert(
      fc.property(nested(4), (item) => {
        const encoded = encodeRlp(item);
        expect(encoded).toEqual(RLP.encode(item as NestedUint8Array));
        expect(decodeRlp(encoded, MAX_BYTES)).toEqual(item);
      }),
    );
  });

  it('has one encoding per value: what decodes from random bytes encodes to them again', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (random) => {
        let item: RlpItem;
        try {
          item = decodeRlp(random, MAX_BYTES);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
          return;
        }
        expect(encodeRlp(item)).toEqual(random);
      }),
      { numRuns: 5000 },
    );
  });

  it('refuses a length that no number can hold', () => {
    const encoded = new Uint8Array(70).fill(0xff);
    expect(() => decodeRlp(encoded, MAX_BYTES)).toThrow(
      expect.objectContaining({ code: 'RLP_TRUNCATED' }),
    );
  });

  it('refuses a string one byte longer than its caller allows', () => {
    const encoded = encodeRlp(new Uint8Array(40));
    expect(decodeRlp(encoded, 41)).toEqual(new Uint8Array(40));
    expect(() => decodeRlp(encoded, 40)).toThrow(
      expect.objectContaining({ code: 'RLP_TOO_LARGE' }),
    );
  });
});
