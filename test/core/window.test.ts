import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareBytes } from '../../core/bytes.ts';
import {
  decodeWindowRecord,
  encodeWindowRecord,
  windowEntry,
  windowLabel,
  windowTree,
} from '../../core/window.ts';
import { STATEMENT } from '../../fixtures/generate/sample-records.ts';
import { hash, windowRecord } from './arbitrary-records.ts';
import { codeOf } from './coded-error.ts';
import { testCodec } from './test-codec.ts';

testCodec('window record', windowRecord, {
  encode: encodeWindowRecord,
  decode: decodeWindowRecord,
});

test('two statements of one place never stand in one window', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (one, other) => {
      const label = windowLabel(STATEMENT);
      const entries = [one, other].map((bytes) => windowEntry(label, bytes)).sort(compareBytes);
      expect(codeOf(() => windowTree(entries))).toBe('WINDOW_ORDER');
    }),
  );
});

test('every part of a place changes the label', () => {
  const labels = [
    STATEMENT,
    { ...STATEMENT, tag: new Uint8Array(16) },
    { ...STATEMENT, deviceKeyId: new Uint8Array(32) },
    { ...STATEMENT, epoch: STATEMENT.epoch + 1 },
    { ...STATEMENT, log: STATEMENT.log + 1 },
    { ...STATEMENT, seq: STATEMENT.seq + 1 },
  ].map((statement) => windowLabel(statement).join());
  expect(new Set(labels).size).toBe(6);
});

test('labels in order make a tree over all entries', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(hash, { minLength: 1, maxLength: 20, selector: String }),
      (labels) => {
        const entries = labels.sort(compareBytes).map((label) => windowEntry(label, label));
        expect(windowTree(entries).size).toBe(labels.length);
      },
    ),
  );
});
