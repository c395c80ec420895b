/**
 * ECDSA over SHA-256 with low S: ES256K (secp256k1) and ES256 (P-256).
 * Implements spec/signatures.md, "Algorithms"; RFC 8812, RFC 9053 section 2.1.
 */
import { p256 } from '@noble/curves/nist.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import * as secp256k1 from '@noble/secp256k1';
import { concatBytes } from './bytes.ts';
import { encodeCbor } from './cbor.ts';
import { FormatError } from './errors.ts';
import { sha256 } from './hash.ts';

secp256k1.hashes.sha256 = nobleSha256;
secp256k1.hashes.hmacSha256 = (key, message) => hmac(nobleSha256, key, message);

export type Algorithm = 'ES256K' | 'ES256';

/** A public key: 33 bytes, SEC 1 compressed. */
export type PublicKey = { readonly algorithm: Algorithm; readonly bytes: Uint8Array };

/** COSE algorithm numbers (RFC 8812, RFC 9053). */
export const COSE_ALGORITHM: Readonly<Record<Algorithm, number>> = { ES256K: -47, ES256: -7 };
const COSE_CURVE: Readonly<Record<Algorithm, number>> = { ES256K: 8, ES256: 1 };

/** Whether `signature` (64 bytes, r then s) is valid and low-S for a 32-byte SHA-256 digest. */
export type VerifyDigest = (key: PublicKey, digest: Uint8Array, signature: Uint8Array) => boolean;

/** The reference implementation; slow, and the browser's. */
export const verifyDigest: VerifyDigest = (key, digest, signature) => {
  const options = { prehash: false, lowS: true, format: 'compact' } as const;
  try {
    return key.algorithm === 'ES256K'
      ? secp256k1.verify(signature, digest, key.bytes, options)
      : p256.verify(signature, digest, key.bytes, options);
  } catch {
    // The libraries throw on points off the curve and on r or s out of range: not a signature.
    return false;
  }
};

/** Deterministic (RFC 6979), low-S. @returns 64 bytes, r then s */
export function signDigest(
  algorithm: Algorithm,
  secret: Uint8Array,
  digest: Uint8Array,
): Uint8Array {
  const options = { prehash: false, lowS: true, format: 'compact' } as const;
  return algorithm === 'ES256K'
    ? secp256k1.sign(digest, secret, options)
    : p256.sign(digest, secret, options);
}

export function publicKeyOf(algorithm: Algorithm, secret: Uint8Array): PublicKey {
  const bytes =
    algorithm === 'ES256K' ? secp256k1.getPublicKey(secret, true) : p256.getPublicKey(secret, true);
  return { algorithm, bytes };
}

const ORDER: Readonly<Record<Algorithm, bigint>> = {
  ES256K: secp256k1.Point.CURVE().n,
  ES256: p256.Point.CURVE().n,
};

/** A signer that cannot choose S (a TPM, `node:crypto`) is normalised before anything sees it. */
export function lowS(algorithm: Algorithm, signature: Uint8Array): Uint8Array {
  const order = ORDER[algorithm];
  const s = signature.slice(32).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
  if (s <= order >> 1n) return signature;
  const out = Uint8Array.from(signature);
  let rest = order - s;
  for (let i = 63; i >= 32; i--) {
    out[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return out;
}

const thumbprints = new Map<string, Uint8Array>();

/**
 * The key's identifier: its COSE Key Thumbprint with SHA-256 (RFC 9679).
 * @throws FormatError KEY_MALFORMED when the bytes are no point of the curve
 */
export function keyId(key: PublicKey): Uint8Array {
  // One character a byte. No other length is ever in the cache, and none that could be long is spread.
  const isCompressed = key.bytes.length === 33;
  const cacheKey = isCompressed ? `${key.algorithm} ${String.fromCharCode(...key.bytes)}` : '';
  const cached = thumbprints.get(cacheKey);
  if (cached !== undefined) return cached;
  const { x, y } = coordinates(key);
  // {1: 2 (EC2), -1: curve, -2: x, -3: y} in deterministic order.
  const print = sha256(
    concatBytes(
      Uint8Array.of(0xa4, 0x01, 0x02, 0x20, COSE_CURVE[key.algorithm], 0x21),
      encodeCbor(x),
      Uint8Array.of(0x22),
      encodeCbor(y),
    ),
  );
  if (thumbprints.size >= 4096) thumbprints.clear();
  thumbprints.set(cacheKey, print);
  return print;
}

function coordinates(key: PublicKey): { readonly x: Uint8Array; readonly y: Uint8Array } {
  try {
    const point =
      key.algorithm === 'ES256K'
        ? secp256k1.Point.fromBytes(key.bytes).toBytes(false)
        : p256.Point.fromBytes(key.bytes).toBytes(false);
    if (key.bytes.length !== 33) throw new RangeError('the key is not compressed');
    return { x: point.slice(1, 33), y: point.slice(33, 65) };
  } catch (cause) {
    throw new FormatError(
      'KEY_MALFORMED',
      `expected 33 bytes that are a point of the curve of ${key.algorithm}`,
      { cause },
    );
  }
}
