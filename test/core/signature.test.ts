import { createECDH, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex } from '../../core/bytes.ts';
import { recordId, sigStructure } from '../../core/cose.ts';
import { type Algorithm, keyId, lowS, signDigest, verifyDigest } from '../../core/signature.ts';
import { testKey } from '../../fixtures/generate/test-key.ts';

const CURVES = { ES256K: 'secp256k1', ES256: 'prime256v1' } as const;
const JWK_CURVES = { ES256K: 'secp256k1', ES256: 'P-256' } as const;
/** SEC 2, sections 2.4.1 and 2.4.2. */
const ORDERS = {
  ES256K: 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n,
  ES256: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
} as const;
const payload = fc.uint8Array({ maxLength: 100 });

function nodeKeys(algorithm: Algorithm) {
  const { secret, key } = testKey('device', algorithm);
  const ecdh = createECDH(CURVES[algorithm]);
  ecdh.setPrivateKey(secret);
  const point = ecdh.getPublicKey();
  const jwk = {
    kty: 'EC',
    crv: JWK_CURVES[algorithm],
    x: point.subarray(1, 33).toString('base64url'),
    y: point.subarray(33).toString('base64url'),
  };
  return {
    secret,
    key,
    publicKey: createPublicKey({ key: jwk, format: 'jwk' }),
    privateKey: createPrivateKey({
      key: { ...jwk, d: Buffer.from(secret).toString('base64url') },
      format: 'jwk',
    }),
  };
}

function sOf(signature: Uint8Array): bigint {
  return BigInt(`0x${toHex(signature.slice(32))}`);
}

function withS(signature: Uint8Array, s: bigint): Uint8Array {
  const bytes = Buffer.from(s.toString(16).padStart(64, '0'), 'hex');
  return Uint8Array.from([...signature.slice(0, 32), ...bytes]);
}

describe.each(['ES256K', 'ES256'] as const)('%s', (algorithm) => {
  const { secret, key, publicKey, privateKey } = nodeKeys(algorithm);
  const order = ORDERS[algorithm];

  test('node:crypto accepts what is signed here', () => {
    fc.assert(
      fc.property(payload, (bytes) => {
        const message = sigStructure('statement', key, bytes);
        const signature = signDigest(algorithm, secret, recordId('statement', key, bytes));
        const options = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const;
        expect(verify('sha256', message, options, signature)).toBe(true);
        expect(sOf(signature) * 2n < order).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  test('what node:crypto signs is accepted with a low S and refused with a high one', () => {
    fc.assert(
      fc.property(payload, (bytes) => {
        const message = sigStructure('statement', key, bytes);
        const id = recordId('statement', key, bytes);
        const foreign = Uint8Array.from(
          sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
        );
        const low = lowS(algorithm, foreign);
        const high = withS(low, order - sOf(low));
        expect(sOf(low) * 2n < order).toBe(true);
        expect(verifyDigest(key, id, low)).toBe(true);
        expect(verifyDigest(key, id, high)).toBe(false);
        expect(toHex(lowS(algorithm, high))).toBe(toHex(low));
        const options = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const;
        expect(verify('sha256', message, options, high)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  test('no other r, s, digest or key passes', () => {
    const id = recordId('statement', key, new Uint8Array(3));
    const signature = signDigest(algorithm, secret, id);
    const s = sOf(signature);
    expect(verifyDigest(key, id, withS(signature, s + 1n))).toBe(false);
    expect(verifyDigest(key, id, withS(signature, 0n))).toBe(false);
    expect(verifyDigest(key, id, withS(signature, order))).toBe(false);
    expect(verifyDigest(key, id, new Uint8Array(64))).toBe(false);
    expect(verifyDigest(key, id, signature.slice(1))).toBe(false);
    expect(verifyDigest(key, recordId('beacon', key, new Uint8Array(3)), signature)).toBe(false);
    expect(verifyDigest(testKey('stranger', algorithm).key, id, signature)).toBe(false);
    expect(verifyDigest({ algorithm, bytes: new Uint8Array(33) }, id, signature)).toBe(false);
  });

  test('the highest S that is low is the half of the order', () => {
    const r = new Uint8Array(32).fill(1);
    const signature = Uint8Array.from([...r, ...new Uint8Array(32)]);
    const half = order >> 1n;
    expect(sOf(lowS(algorithm, withS(signature, half)))).toBe(half);
    expect(sOf(lowS(algorithm, withS(signature, half + 1n)))).toBe(half);
  });
});

test('a key identifier is cached by algorithm and by key', () => {
  const one = testKey('device', 'ES256K').key;
  const other = testKey('stranger', 'ES256K').key;
  expect(toHex(keyId(one))).toBe(toHex(keyId({ ...one, bytes: one.bytes.slice() })));
  expect(toHex(keyId(one))).not.toBe(toHex(keyId(other)));
});
