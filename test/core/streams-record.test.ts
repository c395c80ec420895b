import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeStreamsRecord, encodeStreamsRecord } from '../../core/streams-record.ts';
import { testCodec } from './test-codec.ts';

const names = fc
  .uniqueArray(fc.integer({ min: 0, max: 0x7ff }), { minLength: 1, maxLength: 9 })
  .map((ids) =>
    ids.map((id) => `raw/can0/${id.toString(16).toUpperCase().padStart(3, '0')}`).sort(),
  );

testCodec('streams record', names, { encode: encodeStreamsRecord, decode: decodeStreamsRecord });

test('names may be given in any order', () => {
  const given = ['records/state', 'raw/can1/0B4', 'raw/can0/7FF'];
  expect(decodeStreamsRecord(encodeStreamsRecord(given))).toEqual(given.toSorted());
});
