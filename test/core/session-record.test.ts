import { expect, test } from 'vitest';
import { decodeSessionRecord, encodeSessionRecord } from '../../core/session-record.ts';
import { SESSION_RECORD } from '../../fixtures/generate/sample-records.ts';
import { sessionRecord } from './arbitrary-records.ts';
import { codeOf } from './coded-error.ts';
import { testCodec } from './test-codec.ts';

testCodec('session record', sessionRecord, {
  encode: encodeSessionRecord,
  decode: decodeSessionRecord,
});

test('the largest session record still decodes', () => {
  const buses = Array.from({ length: 256 }, (_, i) => ({
    bus: `interface-${i}`.padEnd(15, 'x'),
    source: 'socketcan' as const,
    lossAccounting: 'not_applicable' as const,
    stampSource: 'hardware' as const,
    access: 'not_applicable' as const,
  }));
  const record = { ...SESSION_RECORD, buses };
  expect(decodeSessionRecord(encodeSessionRecord(record))).toEqual(record);
});

test('every session of a later log names the statement that made it necessary', () => {
  const restarted = { ...SESSION_RECORD, number: 0, log: 1, lastHeaderId: undefined };
  expect(codeOf(() => decodeSessionRecord(encodeSessionRecord(restarted)))).toBe('SESSION_START');
  const predecessor = { log: 0, statementSeq: 7, statementId: new Uint8Array(32) };
  const named = { ...restarted, predecessor };
  expect(decodeSessionRecord(encodeSessionRecord(named)).predecessor).toEqual(predecessor);
  const second = { ...SESSION_RECORD, log: 1 };
  expect(codeOf(() => decodeSessionRecord(encodeSessionRecord(second)))).toBe('SESSION_START');
  const inLogZero = { ...SESSION_RECORD, predecessor };
  expect(codeOf(() => decodeSessionRecord(encodeSessionRecord(inLogZero)))).toBe('SESSION_START');
});
