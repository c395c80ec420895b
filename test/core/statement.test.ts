import { expect, test } from 'vitest';
import { chunkCount, decodeStatement, encodeStatement, leafIndexOf } from '../../core/statement.ts';
import { statement } from './arbitrary-records.ts';
import { testCodec } from './test-codec.ts';

testCodec('statement', statement, { encode: encodeStatement, decode: decodeStatement });

test('leaves count through the spans, and what is between them has none', () => {
  const spans = [
    { log: 0, firstSeq: 10, count: 3 },
    { log: 0, firstSeq: 20, count: 1 },
    { log: 2, firstSeq: 0, count: 2 },
  ];
  expect(chunkCount(spans)).toBe(6);
  expect([10, 12, 13, 20].map((seq) => leafIndexOf(spans, 0, seq))).toEqual([0, 2, undefined, 3]);
  expect([0, 1, 2].map((seq) => leafIndexOf(spans, 2, seq))).toEqual([4, 5, undefined]);
  expect(leafIndexOf(spans, 1, 10)).toBeUndefined();
});
