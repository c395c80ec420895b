/** ES256K signer whose secret lies in a key file, or only in memory. */
import crypto from 'node:crypto';
import type { PublicKey } from '../../core/signature.ts';
import { es256kPublicKey, signEs256k } from '../crypto/native-ecdsa.ts';

export type DigestSigner = {
  readonly key: PublicKey;
  /** 32-byte SHA-256 digest to 64 bytes, low-S. */
  sign(digest: Uint8Array): Uint8Array;
};

export function es256kSigner(secret: Uint8Array): DigestSigner {
  const key = es256kPublicKey(secret);
  return { key, sign: (digest) => signEs256k(secret, digest) };
}

/** A secret that is on no disk: what it signed before a crash, nobody can add to afterwards. */
export function ephemeralSigner(): DigestSigner {
  return es256kSigner(newEs256kSecret());
}

export function newEs256kSecret(): Uint8Array {
  // ECDH generates a scalar in the curve's range; rejection by hand would be our own cryptography.
  const ecdh = crypto.createECDH('secp256k1');
  ecdh.generateKeys();
  const secret = ecdh.getPrivateKey();
  const padded = new Uint8Array(32);
  padded.set(secret, 32 - secret.length);
  return padded;
}
