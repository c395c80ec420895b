/**
 * ECDSA by libsecp256k1 where its addon loads, by noble elsewhere; P-256 verification by noble.
 * Implements spec/signatures.md, "Algorithms".
 */
import { createRequire } from 'node:module';
import {
  publicKeyOf as noblePublicKeyOf,
  signDigest as nobleSign,
  verifyDigest as nobleVerify,
  type PublicKey,
  type VerifyDigest,
} from '../../core/signature.ts';

type Libsecp256k1 = {
  publicKeyConvert(publicKey: Uint8Array, compressed: boolean): Uint8Array;
  publicKeyCreate(secret: Uint8Array): Uint8Array;
  ecdsaSign(digest: Uint8Array, secret: Uint8Array): { readonly signature: Uint8Array };
  ecdsaVerify(signature: Uint8Array, digest: Uint8Array, publicKey: Uint8Array): boolean;
};

/** Undefined where the addon has no build: everything still works, 9 to 70 times slower. */
const native = loadAddon();

function loadAddon(): Libsecp256k1 | undefined {
  try {
    // The package's main file falls back to a JavaScript library; the bindings do not.
    return createRequire(import.meta.url)('secp256k1/bindings.js') as Libsecp256k1;
  } catch {
    return undefined;
  }
}

export const nativeEcdsa = native !== undefined;

/** Without the tables that noble makes for its first key, and keeps. */
export function es256kPublicKey(secret: Uint8Array): PublicKey {
  if (native === undefined) return noblePublicKeyOf('ES256K', secret);
  return { algorithm: 'ES256K', bytes: native.publicKeyCreate(secret) };
}

/** ES256K, deterministic (RFC 6979), low-S. @returns 64 bytes, r then s */
export function signEs256k(secret: Uint8Array, digest: Uint8Array): Uint8Array {
  if (native === undefined) return nobleSign('ES256K', secret, digest);
  return native.ecdsaSign(digest, secret).signature;
}

/** Points that were decompressed already: the square root is a tenth of a verification. */
const parsed = new WeakMap<PublicKey, Uint8Array>();

/** An ES256K key as 65 bytes, uncompressed; undefined when it is no point, or where the addon is missing. */
export function parsedEs256k(key: PublicKey): Uint8Array | undefined {
  const known = parsed.get(key);
  if (known !== undefined || native === undefined) return known;
  try {
    const point = native.publicKeyConvert(key.bytes, false);
    parsed.set(key, point);
    return point;
  } catch {
    return undefined; // thrown for bytes that are no point
  }
}

/** libsecp256k1 refuses a high S and a point off the curve, as the reference does (tested). */
export const fastVerifyDigest: VerifyDigest = (key, digest, signature) => {
  if (native === undefined || key.algorithm !== 'ES256K')
    return nobleVerify(key, digest, signature);
  const point = parsedEs256k(key);
  return point !== undefined && verifyParsed(point, digest, signature);
};

/** @param point as `parsedEs256k` gives it */
export function verifyParsed(
  point: Uint8Array,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    return native?.ecdsaVerify(signature, digest, point) ?? false;
  } catch {
    return false; // thrown for r or s out of range and for bytes that are no point
  }
}
