import { constants, generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../../core/bytes.ts';
import { TAG } from '../../../core/x509/der.ts';
import { element, integer, sequence } from '../../../core/x509/der-writer.ts';
import { readRsaKey, verifyPkcs1, verifyPss } from '../../../core/x509/rsa.ts';
import { flipped } from '../../../fixtures/generate/seeded-bytes.ts';
import { codeOf } from '../coded-error.ts';

const MESSAGE = new TextEncoder().encode('what is signed');
const HASHES = ['sha256', 'sha384', 'sha512'] as const;

// 2,049 bits: the encoded message of PSS is a byte shorter than the modulus.
describe.each([2048, 2049, 3072])('RSA of %i bits', (modulusLength) => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength });
  const key = readRsaKey(Uint8Array.from(publicKey.export({ type: 'pkcs1', format: 'der' })));

  it.each(HASHES)('verifies PKCS #1 v1.5 with %s as OpenSSL signs it, and no bit less', (hash) => {
    const signature = Uint8Array.from(sign(hash, MESSAGE, privateKey));
    expect(verifyPkcs1(key, hash, MESSAGE, signature)).toBe(true);
    for (const byte of [0, 1, 100, signature.length - 1]) {
      expect(verifyPkcs1(key, hash, MESSAGE, flipped(signature, byte))).toBe(false);
    }
    for (const other of HASHES) {
      expect(verifyPkcs1(key, other, MESSAGE, signature)).toBe(other === hash);
    }
    expect(verifyPkcs1(key, hash, new Uint8Array(0), signature)).toBe(false);
    expect(verifyPkcs1(key, hash, MESSAGE, signature.slice(1))).toBe(false);
    expect(verifyPkcs1(key, hash, MESSAGE, concatBytes(Uint8Array.of(0), signature))).toBe(false);
  });

  it.each(HASHES.flatMap((hash) => [0, 20, 32].map((saltLength) => [hash, saltLength] as const)))(
    'verifies PSS with %s and a salt of %i bytes, and with no other',
    (hash, saltLength) => {
      const padding = constants.RSA_PKCS1_PSS_PADDING;
      const signature = Uint8Array.from(
        sign(hash, MESSAGE, { key: privateKey, padding, saltLength }),
      );
      const verify = (
        length: number,
        bytes: Uint8Array = signature,
        message: Uint8Array = MESSAGE,
      ) => verifyPss(key, { hash, saltLength: length }, message, bytes);
      expect(verify(saltLength)).toBe(true);
      expect(verify(saltLength + 1)).toBe(false);
      expect(verify(saltLength, flipped(signature, 5))).toBe(false);
      expect(verify(saltLength, signature, new Uint8Array(1))).toBe(false);
      expect(verify(4096)).toBe(false);
    },
  );

  it('takes no signature that is not below the modulus', () => {
    const bytes = new Uint8Array(Math.ceil(modulusLength / 8)).fill(0xff);
    expect(verifyPkcs1(key, 'sha256', MESSAGE, bytes)).toBe(false);
  });
});

describe('an RSA key', () => {
  const odd = (bits: bigint): bigint => (1n << (bits - 1n)) | 1n;
  it.each([
    ['of 1,024 bits', odd(1024n), 65_537n],
    ['of 2,047 bits', odd(2047n), 65_537n],
    ['of 8,193 bits', odd(8193n), 65_537n],
    ['that is even', 1n << 2047n, 65_537n],
    ['with exponent 1', odd(2048n), 1n],
    ['with an even exponent', odd(2048n), 65_536n],
    ['with an exponent of 33 bits', odd(2048n), 0x1_0000_0001n],
  ])('%s is not believed', (_, modulus, exponent) => {
    const key = sequence(integer(modulus), integer(exponent));
    expect(codeOf(() => readRsaKey(key))).toBe('ALGORITHM_UNSUPPORTED');
  });

  it('of a megabyte is refused before it is a number', () => {
    const key = sequence(element(TAG.integer, new Uint8Array(1 << 20).fill(1)), integer(3));
    expect(codeOf(() => readRsaKey(key))).toBe('ALGORITHM_UNSUPPORTED');
  });
});
