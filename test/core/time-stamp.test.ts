import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  coveredRecordHashes,
  decodeTimeStamp,
  encodeTimeStamp,
  type TimeStamp,
} from '../../core/time-stamp.ts';
import { encodeWindowRecord, windowRecordHash } from '../../core/window.ts';
import { blob, hash, windowRecord } from './arbitrary-records.ts';
import { codeOf } from './coded-error.ts';
import { testCodec } from './test-codec.ts';

const timeStamp: fc.Arbitrary<TimeStamp> = fc.record({
  firstRecord: blob,
  linkingRows: fc.array(fc.record({ treeSize: fc.nat({ max: 2 ** 30 }), root: hash })),
  token: blob,
  certificates: fc.array(blob, { maxLength: 16 }),
  revocation: fc.array(blob, { maxLength: 16 }),
});

testCodec('time stamp', timeStamp, { encode: encodeTimeStamp, decode: decodeTimeStamp });

test('linking rows give the hashes of the records that were chained', () => {
  fc.assert(
    fc.property(fc.array(windowRecord, { minLength: 1, maxLength: 6 }), ([first, ...later]) => {
      if (first === undefined || first.windowSeq > 2n ** 63n) return;
      const firstRecord = encodeWindowRecord(first);
      const hashes = [windowRecordHash(firstRecord)];
      later.forEach((record, i) => {
        const previousHash = hashes[i] ?? new Uint8Array(0);
        const windowSeq = first.windowSeq + BigInt(i + 1);
        const { treeSize, root } = record;
        const chained = { ...first, treeSize, root, windowSeq, previousHash };
        hashes.push(windowRecordHash(encodeWindowRecord(chained)));
      });
      expect(coveredRecordHashes({ firstRecord, linkingRows: later })).toEqual(hashes);
    }),
  );
});

test('what is covered must be a window record', () => {
  const firstRecord = Uint8Array.of(0x82, 5, 0);
  expect(codeOf(() => coveredRecordHashes({ firstRecord, linkingRows: [] }))).toBe('FIELD_MISSING');
});

test('a sequence cannot run past 64 bits', () => {
  const record = {
    chainId: 1n,
    contract: new Uint8Array(20),
    publisher: new Uint8Array(20),
    windowSeq: 2n ** 64n - 1n,
    treeSize: 1,
    root: new Uint8Array(32),
    previousHash: new Uint8Array(32),
  };
  const linkingRows = [{ treeSize: 1, root: new Uint8Array(32) }];
  const firstRecord = encodeWindowRecord(record);
  expect(codeOf(() => coveredRecordHashes({ firstRecord, linkingRows }))).toBe(
    'CBOR_INTEGER_RANGE',
  );
});
