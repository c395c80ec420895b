import { encode as cborgEncode } from 'cborg';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toHex } from '../../core/bytes.ts';
import {
  decodeSigned,
  encodeSigned,
  recordId,
  sigStructure,
  unverifiedPayload,
  verifySigned,
} from '../../core/cose.ts';
import { keyId, signDigest, verifyDigest } from '../../core/signature.ts';
import { testKey } from '../../fixtures/generate/test-key.ts';
import { codeOf } from './coded-error.ts';

const { secret, key } = testKey('session', 'ES256K');
const payload = fc.uint8Array({ maxLength: 400 });

function signed(bytes: Uint8Array): Uint8Array {
  const signature = signDigest('ES256K', secret, recordId('statement', key, bytes));
  return encodeSigned('statement', key, { payload: bytes, signature });
}

test('envelope and Sig_structure are what another codec writes', () => {
  fc.assert(
    fc.property(payload, (bytes) => {
      const typ = 'application/vnd.witnessmark.statement';
      const header = cborgEncode(
        new Map<number, unknown>([
          [1, -47],
          [4, keyId(key)],
          [16, typ],
        ]),
      );
      const signature = new Uint8Array(64).fill(9);
      const aad = new TextEncoder().encode(`witnessmark/v1/${typ}`);
      expect(toHex(sigStructure('statement', key, bytes))).toBe(
        toHex(cborgEncode(['Signature1', header, aad, bytes])),
      );
      expect(toHex(encodeSigned('statement', key, { payload: bytes, signature }))).toBe(
        toHex(cborgEncode([header, new Map(), bytes, signature])),
      );
    }),
  );
});

test('what was signed is verified, and its payload can be read before', () => {
  fc.assert(
    fc.property(payload, (bytes) => {
      const record = signed(bytes);
      expect(toHex(unverifiedPayload(record))).toBe(toHex(bytes));
      expect(toHex(verifySigned('statement', key, record, verifyDigest).payload)).toBe(
        toHex(bytes),
      );
    }),
    { numRuns: 20 },
  );
});

test('every flipped bit of a record is refused', () => {
  const record = signed(Uint8Array.of(1, 2, 3));
  for (let bit = 0; bit < record.length * 8; bit++) {
    const changed = record.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
    const code = codeOf(() => verifySigned('statement', key, changed, verifyDigest));
    expect(['COSE_MALFORMED', 'COSE_HEADER', 'SIGNATURE_INVALID']).toContain(code);
  }
}, 60_000);

test('random bytes are refused with a code', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const record = Uint8Array.from([0x84, ...bytes]);
      expect(codeOf(() => decodeSigned('statement', key, record))).toMatch(/^COSE_/);
    }),
    { numRuns: 2000 },
  );
});

test('a payload that could not be read back is not written', () => {
  const signature = new Uint8Array(64);
  const write = (length: number) => () =>
    encodeSigned('statement', key, { payload: new Uint8Array(length), signature });
  expect(toHex(unverifiedPayload(write(65_535)()).slice(0, 2))).toBe('0000');
  expect(codeOf(write(65_536))).toBe('COSE_TOO_LARGE');
});
