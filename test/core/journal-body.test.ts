import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromHex, toHex } from '../../core/bytes.ts';
import {
  decodeJournalBody,
  encodeJournalBody,
  type JournalLeaf,
  journalAad,
} from '../../core/journal-body.ts';
import { leafAad } from '../../core/leaf.ts';
import { testCodec } from './test-codec.ts';

const leaves: fc.Arbitrary<readonly JournalLeaf[]> = fc
  .uniqueArray(fc.tuple(fc.nat((1 << 20) - 1), fc.uint8Array({ maxLength: 40 })), {
    maxLength: 8,
    selector: ([ordinal]) => ordinal,
  })
  .map((pairs) =>
    pairs.sort(([a], [b]) => a - b).map(([ordinal, packed]) => ({ ordinal, packed })),
  );

testCodec('journal body', leaves, { encode: encodeJournalBody, decode: decodeJournalBody });

test('a journal body is bound to another place than any leaf', () => {
  const tag = new Uint8Array(16).fill(0x11);
  const handle = new Uint8Array(16).fill(0x22);
  const bytes = `8408${'50'}${'11'.repeat(16)}1829${'50'}${'22'.repeat(16)}`;
  expect(journalAad(tag, 41, handle)).toEqual(fromHex(bytes));
  expect(toHex(leafAad(tag, 41, handle)).slice(4)).toBe(bytes.slice(4));
});
