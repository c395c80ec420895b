import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { publicKeyOf, signDigest, verifyDigest } from '../../../core/signature.ts';
import {
  es256kPublicKey,
  fastVerifyDigest,
  nativeEcdsa,
  signEs256k,
} from '../../../hw/crypto/native-ecdsa.ts';
import { newEs256kSecret } from '../../../hw/keys/file-signer.ts';

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const secret = newEs256kSecret();
const key = publicKeyOf('ES256K', secret);
const digests = fc.uint8Array({ minLength: 32, maxLength: 32 });

function number(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
}

function bytes(value: bigint): Uint8Array {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(64, '0'), 'hex'));
}

function withS(signature: Uint8Array, s: bigint): Uint8Array {
  return Uint8Array.from([...signature.subarray(0, 32), ...bytes(s)]);
}

test('the addon is there where the tests run', () => {
  expect(nativeEcdsa).toBe(true);
});

test('public keys are those of the reference', () => {
  for (let i = 0; i < 10; i++) {
    const fresh = newEs256kSecret();
    expect(es256kPublicKey(fresh)).toEqual(publicKeyOf('ES256K', fresh));
  }
});

test('signatures are those of the reference, byte for byte, and low-S', () => {
  fc.assert(
    fc.property(digests, (digest) => {
      const signature = signEs256k(secret, digest);
      expect([...signature]).toEqual([...signDigest('ES256K', secret, digest)]);
      expect(number(signature.subarray(32)) <= ORDER / 2n).toBe(true);
    }),
    { numRuns: 30 },
  );
});

describe('verification agrees with the reference', () => {
  const digest = new Uint8Array(32).fill(7);
  const good = signDigest('ES256K', secret, digest);
  const s = number(good.subarray(32));
  const cases: readonly (readonly [string, Uint8Array, Uint8Array, Uint8Array])[] = [
    ['a good signature', good, digest, key.bytes],
    ['a high S', withS(good, ORDER - s), digest, key.bytes],
    ['s = 0', withS(good, 0n), digest, key.bytes],
    ['s = n', withS(good, ORDER), digest, key.bytes],
    ['r = 0', Uint8Array.from([...new Uint8Array(32), ...good.subarray(32)]), digest, key.bytes],
    ['r = n', Uint8Array.from([...bytes(ORDER), ...good.subarray(32)]), digest, key.bytes],
    ['another digest', good, new Uint8Array(32), key.bytes],
    ['another key', good, digest, publicKeyOf('ES256K', newEs256kSecret()).bytes],
    ['a point off the curve', good, digest, Uint8Array.from([2, ...new Uint8Array(31), 5])],
    ['a key of zeros', good, digest, new Uint8Array(33)],
    ['a key cut short', good, digest, key.bytes.subarray(0, 32)],
    ['a signature cut short', good.subarray(0, 63), digest, key.bytes],
    ['a signature too long', Uint8Array.from([...good, 0]), digest, key.bytes],
  ];

  test.each(cases)('%s', (_, signature, message, publicKey) => {
    const named = { algorithm: 'ES256K', bytes: publicKey } as const;
    const expected = verifyDigest(named, message, signature);
    expect(expected).toBe(signature === good && message === digest && publicKey === key.bytes);
    expect(fastVerifyDigest(named, message, signature)).toBe(expected);
  });

  test('any changed bit', () => {
    fc.assert(
      fc.property(fc.nat(511), (bit) => {
        const changed = good.slice();
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(fastVerifyDigest(key, digest, changed)).toBe(false);
      }),
      { numRuns: 60 },
    );
  });

  test('P-256, which the addon does not know', () => {
    const p256Secret = new Uint8Array(32).fill(3);
    const p256Key = publicKeyOf('ES256', p256Secret);
    const signature = signDigest('ES256', p256Secret, digest);
    expect(fastVerifyDigest(p256Key, digest, signature)).toBe(true);
    expect(fastVerifyDigest(p256Key, new Uint8Array(32), signature)).toBe(false);
  });
});
