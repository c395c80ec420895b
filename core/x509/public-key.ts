/** SubjectPublicKeyInfo, and whether a signature is by that key (RFC 5280, section 4.1.2.7; RFC 5480). */
import { p256, p384, p521 } from '@noble/curves/nist.js';
import { VerificationError } from '../errors.ts';
import {
  EC_PUBLIC_KEY,
  HASHES,
  RSA_ENCRYPTION,
  RSA_PSS,
  readAlgorithm,
  type SignatureScheme,
  unsupported,
} from './algorithm.ts';
import { type DerReader, oid, TAG, wholeBytes } from './der.ts';
import { readRsaKey, verifyPkcs1, verifyPss } from './rsa.ts';

const CURVES: ReadonlyMap<string, typeof p256> = new Map([
  ['1.2.840.10045.3.1.7', p256],
  ['1.3.132.0.34', p384],
  ['1.3.132.0.35', p521],
]);

/** As it stands in a certificate; read when a signature is to be verified by it. */
export type SubjectKey = {
  readonly algorithm: ReturnType<typeof readAlgorithm>;
  /** Content of the bit string: what key identifiers are hashes of. */
  readonly bytes: Uint8Array;
};

/** @throws FormatError DER_MALFORMED */
export function readSubjectKey(reader: DerReader): SubjectKey {
  const inside = reader.inside(TAG.sequence);
  const algorithm = readAlgorithm(inside);
  const bytes = wholeBytes(inside.next(TAG.bitString));
  inside.end();
  return { algorithm, bytes };
}

/** Verifies so many signatures and no more: certificates and lists can be arranged so that the search never ends. */
export class SignatureChecks {
  #left: number;

  constructor(limit: number) {
    this.#left = limit;
  }

  /** @throws FormatError DER_MALFORMED; VerificationError ALGORITHM_UNSUPPORTED, SIGNATURE_BUDGET */
  isSignedBy(...signed: Parameters<typeof isSignedBy>): boolean {
    if (this.#left === 0) {
      throw new VerificationError('SIGNATURE_BUDGET', 'more signatures than any honest chain has');
    }
    this.#left -= 1;
    return isSignedBy(...signed);
  }
}

/** A key of another kind than the signature's is not the one that signed. */
function isSignedBy(
  { algorithm, bytes }: SubjectKey,
  scheme: SignatureScheme,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  switch (scheme.kind) {
    case 'ecdsa':
      return (
        algorithm.oid === EC_PUBLIC_KEY &&
        verifyEcdsa({ algorithm, bytes }, scheme, message, signature)
      );
    case 'rsa':
      return (
        algorithm.oid === RSA_ENCRYPTION &&
        verifyPkcs1(readRsaKey(bytes), scheme.hash, message, signature)
      );
    case 'rsa-pss':
      // A key for PSS alone, or one for RSA in general.
      return (
        (algorithm.oid === RSA_ENCRYPTION || algorithm.oid === RSA_PSS) &&
        verifyPss(readRsaKey(bytes), scheme, message, signature)
      );
  }
}

function verifyEcdsa(
  { algorithm, bytes }: SubjectKey,
  { hash }: SignatureScheme,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const named = algorithm.parameters?.tag === TAG.oid ? oid(algorithm.parameters) : '';
  const curve = CURVES.get(named);
  if (curve === undefined) throw unsupported(`the curve ${named}`);
  try {
    const options = { prehash: false, lowS: false, format: 'der' } as const;
    return curve.verify(signature, HASHES[hash](message), bytes, options);
  } catch {
    // The library throws on points off the curve and on r or s out of range: not a signature.
    return false;
  }
}
