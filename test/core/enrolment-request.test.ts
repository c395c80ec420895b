import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KEY_PROTECTIONS } from '../../core/enrolment.ts';
import {
  decodeEnrolmentRequest,
  type EnrolmentRequest,
  encodeEnrolmentRequest,
  normalPairingCode,
  pairingCode,
} from '../../core/enrolment-request.ts';
import { count, hash, line, publicKey, tag, word } from './arbitrary-records.ts';
import { testCodec } from './test-codec.ts';

const request: fc.Arbitrary<EnrolmentRequest> = fc.record({
  tag,
  epoch: count,
  deviceKey: publicKey,
  unitSerial: line(64),
  softwareHash: hash,
  keyProtection: word(KEY_PROTECTIONS),
});

testCodec('enrolment-request', request, {
  encode: encodeEnrolmentRequest,
  decode: decodeEnrolmentRequest,
});

test('a pairing code is read as people type it, and another request has another one', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1 }), (bytes) => {
      const code = pairingCode(bytes);
      expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){2}[0-9A-HJKMNP-TV-Z]{4}$/);
      const typed = code
        .toLowerCase()
        .replaceAll('-', ' ')
        .replaceAll('0', 'o')
        .replaceAll('1', 'l');
      expect(normalPairingCode(typed)).toBe(code);
      const other = Uint8Array.from(bytes, (byte, i) => (i === 0 ? byte ^ 1 : byte));
      expect(pairingCode(other)).not.toBe(code);
    }),
  );
});
