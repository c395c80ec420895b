import { expect, test } from 'vitest';
import { encodeCbor } from '../../core/cbor.ts';
import { decodeFields, decodeRecord, type Fields } from '../../core/fields.ts';
import { codeOf } from './coded-error.ts';

const TYPE = 3;

function code(record: Parameters<typeof encodeCbor>[0], read: (fields: Fields) => unknown) {
  return codeOf(() => decodeRecord(encodeCbor(record), TYPE, read));
}

test('a record is its type, its version and its fields in order', () => {
  const bytes = encodeCbor([TYPE, 0, 5, 'name', new Uint8Array(4), [[1], [2]], [], [7]]);
  const record = decodeRecord(bytes, TYPE, (fields) => ({
    a: fields.uint('a'),
    b: fields.text('b', 4),
    c: fields.bytes('c', 4),
    d: fields.list('d', 2, (item) => item.uint('d')),
    e: fields.optional('e', (item) => item.uint('e')),
    f: fields.optional('f', (item) => item.uint('f')),
  }));
  expect(record).toEqual({
    a: 5,
    b: 'name',
    c: new Uint8Array(4),
    d: [1, 2],
    e: undefined,
    f: 7,
  });
});

test('what is no record of this type and version is refused', () => {
  const none = () => undefined;
  expect(code(5, none)).toBe('FIELD_TYPE');
  expect(code([], none)).toBe('RECORD_TYPE');
  expect(code([4, 0], none)).toBe('RECORD_TYPE');
  expect(code([TYPE], none)).toBe('RECORD_VERSION');
  expect(code([TYPE, 1], none)).toBe('RECORD_VERSION');
  expect(code([TYPE, 0, 1], none)).toBe('FIELD_UNKNOWN');
  expect(codeOf(() => decodeFields(encodeCbor('text'), 'item', none))).toBe('FIELD_TYPE');
});

test('a missing field is refused', () => {
  expect(code([TYPE, 0], (fields) => fields.uint('a'))).toBe('FIELD_MISSING');
  expect(code([TYPE, 0, []], (fields) => fields.nested('a', (n) => n.uint('b')))).toBe(
    'FIELD_MISSING',
  );
});

test('an unsigned integer has a type and a range', () => {
  expect(code([TYPE, 0, -1], (fields) => fields.uint('a'))).toBe('FIELD_TYPE');
  expect(code([TYPE, 0, 'x'], (fields) => fields.uint('a'))).toBe('FIELD_TYPE');
  expect(code([TYPE, 0, 6], (fields) => fields.uint('a', 5))).toBe('FIELD_RANGE');
  expect(code([TYPE, 0, 2n ** 53n], (fields) => fields.uint('a'))).toBe('FIELD_RANGE');
  expect(code([TYPE, 0, -1], (fields) => fields.uint64('a'))).toBe('FIELD_TYPE');
  expect(code([TYPE, 0, 2n ** 63n], (fields) => fields.int64('a'))).toBe('FIELD_RANGE');
});

test('the length of a text is counted in bytes', () => {
  expect(code([TYPE, 0, 'äää'], (fields) => fields.text('a', 6))).toBeUndefined();
  expect(code([TYPE, 0, 'äää'], (fields) => fields.text('a', 5))).toBe('FIELD_LENGTH');
  expect(code([TYPE, 0, '🚗'], (fields) => fields.text('a', 3))).toBe('FIELD_LENGTH');
});

test('byte strings and lists have lengths', () => {
  const three = new Uint8Array(3);
  expect(code([TYPE, 0, three], (fields) => fields.bytes('a', 4))).toBe('FIELD_LENGTH');
  expect(code([TYPE, 0, three], (fields) => fields.bytesOrNone('a', 4))).toBe('FIELD_LENGTH');
  expect(code([TYPE, 0, three], (fields) => fields.bytesUpTo('a', 2))).toBe('FIELD_LENGTH');
  expect(code([TYPE, 0, [1, 2]], (fields) => fields.uint64List('a', 1))).toBe('FIELD_LENGTH');
  expect(code([TYPE, 0, [three]], (fields) => fields.bytesList('a', 1, 4))).toBe('FIELD_LENGTH');
  expect(code([TYPE, 0, [three]], (fields) => fields.blobList('a', 1, 2))).toBe('FIELD_LENGTH');
  expect(code([TYPE, 0, ['x']], (fields) => fields.blobList('a', 1, 2))).toBe('FIELD_TYPE');
});
