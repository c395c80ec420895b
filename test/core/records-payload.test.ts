import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeRecordsPayload, encodeRecordsPayload } from '../../core/records-payload.ts';
import { codeOf } from './coded-error.ts';

const records = fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 8 });

test('records come back as they were, and only in their number', () => {
  fc.assert(
    fc.property(records, (list) => {
      const payload = encodeRecordsPayload(list);
      expect(decodeRecordsPayload(payload, list.length)).toEqual(list);
      expect(codeOf(() => decodeRecordsPayload(payload, list.length + 1))).toBe('RECORDS_COUNT');
    }),
  );
});

test('random bytes are refused with a code', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 100 }), fc.nat(9), (bytes, count) => {
      const code = codeOf(() => decodeRecordsPayload(bytes, count));
      if (code !== undefined) expect(code).toMatch(/^(CBOR|RECORDS)_/);
    }),
  );
});
