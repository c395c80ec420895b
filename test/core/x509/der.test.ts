import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../../core/bytes.ts';
import { generalizedTime, time } from '../../../core/x509/asn-time.ts';
import { boolean, DerReader, oid, readDer, TAG, unsigned } from '../../../core/x509/der.ts';
import { ascii, element, integer, objectId } from '../../../core/x509/der-writer.ts';
import { codeOf } from '../coded-error.ts';

const only = (bytes: Uint8Array) => new DerReader(bytes, 'it').any();

describe('DER', () => {
  it.each([
    ['nothing', ''],
    ['a tag alone', '30'],
    ['an indefinite length', '30800000'],
    ['a length of five bytes', '0485000000000100'],
    ['a length that could be one byte', '04810100'],
    ['a length with a zero in front', `0482000${'1'}00`],
    ['content that is too short', '040200'],
    ['a tag of several bytes', '1f810000'],
    ['something behind it', '040000'],
  ])('refuses %s', (_, hex) => {
    expect(codeOf(() => readDer(fromHex(hex), fromHex(hex)[0] ?? 0x30, 'it'))).toBe(
      'DER_MALFORMED',
    );
  });

  it.each([
    ['an integer without content', '0200', unsigned],
    ['a negative integer', '0280', unsigned].slice(0, 3) as [string, string, typeof unsigned],
    ['an integer with a zero in front', '02020001', unsigned],
    ['a boolean of 1', '010101', boolean],
    ['an object identifier that ends in the middle', '060181', oid],
    ['an object identifier with an empty digit in front', '06028001', oid],
    ['an object identifier of 65 bytes', `0641${'01'.repeat(65)}`, oid],
  ] as const)('refuses %s', (_, hex, read) => {
    expect(
      codeOf(() => (read as (e: ReturnType<typeof only>) => unknown)(only(fromHex(hex)))),
    ).toBe('DER_MALFORMED');
  });

  it('reads back what was written, whatever the length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70_000 }), (content) => {
        const { content: read, bytes } = only(element(TAG.octetString, content));
        expect(Buffer.from(read).equals(content)).toBe(true);
        expect(toHex(bytes)).toBe(toHex(element(TAG.octetString, content)));
      }),
      { numRuns: 50 },
    );
  });

  it('reads back integers and object identifiers', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 1n << 300n }),
        fc.integer({ min: 0, max: 2 }),
        fc.integer({ min: 0, max: 39 }),
        fc.array(fc.bigInt({ min: 0n, max: 1n << 60n }), { maxLength: 5 }),
        (value, top, second, rest) => {
          expect(unsigned(only(integer(value)))).toBe(value);
          const name = [top, second, ...rest].join('.');
          expect(oid(only(objectId(name)))).toBe(name);
        },
      ),
    );
  });

  it('reads times as the calendar has them', () => {
    const range = { min: new Date('1950-01-01'), max: new Date('9999-12-31'), noInvalidDate: true };
    fc.assert(
      fc.property(fc.date(range), (date) => {
        const digits = date.toISOString().replace(/[-:T]/g, '').slice(0, 14);
        const ns = BigInt(Math.floor(date.getTime() / 1000)) * 1_000_000_000n;
        expect(time(only(ascii(TAG.generalizedTime, `${digits}Z`)))).toBe(ns);
        if (date.getUTCFullYear() < 2050) {
          expect(time(only(ascii(TAG.utcTime, `${digits.slice(2)}Z`)))).toBe(ns);
        }
      }),
    );
  });

  it('reads parts of a second to the nanosecond', () => {
    const read = (text: string) => generalizedTime(only(ascii(TAG.generalizedTime, text)));
    expect(read('19700101000001.000000001Z')).toBe(1_000_000_001n);
    expect(read('19700101000001.5Z')).toBe(1_500_000_000n);
  });

  it.each([
    '20260229000000Z',
    '20261301000000Z',
    '20260100000000Z',
    '20260101240000Z',
    '20260101000060Z',
    '20260101000000',
    '20260101000000+0100',
    '20260101000000.0Z',
    '20260101000000.10Z',
    '20260101000000.1234567891Z',
    '2026010100Z',
  ])('refuses the time %s', (text) => {
    expect(codeOf(() => generalizedTime(only(ascii(TAG.generalizedTime, text))))).toBe(
      'DER_MALFORMED',
    );
  });
});
