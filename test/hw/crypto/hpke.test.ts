/** Of RFC 9180, against a library that was written without ours; and what it refuses. */
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import { expect, test } from 'vitest';
import { asciiBytes, concatBytes, toHex } from '../../../core/bytes.ts';
import { hpkeOpen, hpkeSeal, x25519Public } from '../../../hw/crypto/hpke.ts';
import { codeOf } from '../../core/coded-error.ts';

const SUITE = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});
const SECRET = Uint8Array.from({ length: 32 }, (_, i) => i + 1);
const PUBLIC = x25519Public(SECRET);
const INFO = asciiBytes('what for');
const ENC_BYTES = 32;

function buffer(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}

test.each([0, 1, 16, 32, 4_096, 100_000])('the library opens %i sealed bytes', async (length) => {
  const plain = new Uint8Array(length).fill(7);
  const sealed = hpkeSeal(PUBLIC, INFO, plain);
  expect(sealed.length).toBe(length + 48);
  const recipientKey = await SUITE.kem.importKey('raw', buffer(SECRET), false);
  const opened = await SUITE.open(
    { recipientKey, enc: buffer(sealed.subarray(0, ENC_BYTES)), info: buffer(INFO) },
    buffer(sealed.subarray(ENC_BYTES)),
  );
  expect(toHex(new Uint8Array(opened))).toBe(toHex(plain));
});

test.each([0, 1, 33, 4_097])('what the library sealed opens, %i bytes', async (length) => {
  const plain = new Uint8Array(length).fill(9);
  const recipientPublicKey = await SUITE.kem.importKey('raw', buffer(PUBLIC));
  const { enc, ct } = await SUITE.seal({ recipientPublicKey, info: buffer(INFO) }, buffer(plain));
  const sealed = concatBytes(new Uint8Array(enc), new Uint8Array(ct));
  expect(toHex(hpkeOpen(SECRET, INFO, sealed))).toBe(toHex(plain));
});

test('another key, another purpose, and every changed byte are refused', () => {
  const sealed = hpkeSeal(PUBLIC, INFO, asciiBytes('thirty-two bytes of a secret, so'));
  const other = new Uint8Array(32).fill(3);
  expect(codeOf(() => hpkeOpen(other, INFO, sealed))).toBe('HPKE_OPEN');
  expect(codeOf(() => hpkeOpen(SECRET, asciiBytes('what else'), sealed))).toBe('HPKE_OPEN');
  for (let at = 0; at < sealed.length; at++) {
    const changed = Uint8Array.from(sealed, (byte, i) => (i === at ? byte ^ 1 : byte));
    expect(
      codeOf(() => hpkeOpen(SECRET, INFO, changed)),
      `byte ${at}`,
    ).toBe('HPKE_OPEN');
  }
  expect(codeOf(() => hpkeOpen(SECRET, INFO, sealed.subarray(0, 47)))).toBe('HPKE_LENGTH');
});

test('the same is never sealed to the same bytes', () => {
  expect(toHex(hpkeSeal(PUBLIC, INFO, INFO))).not.toBe(toHex(hpkeSeal(PUBLIC, INFO, INFO)));
});

/** RFC 7748: points whose product with any secret is zero. */
test.each([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
])('nothing is sealed to, or opened from, the point of small order %s', (hex) => {
  const point = Uint8Array.from(Buffer.from(hex, 'hex'));
  expect(codeOf(() => hpkeSeal(point, INFO, INFO))).toBe('HPKE_KEY');
  const sealed = hpkeSeal(PUBLIC, INFO, INFO);
  sealed.set(point, 0);
  expect(codeOf(() => hpkeOpen(SECRET, INFO, sealed))).toBe('HPKE_KEY');
});
