/** What a TPM or a token answers, checked before anything believes it. */
import { equalBytes } from '../../core/bytes.ts';
import { FormatError, OperationalError } from '../../core/errors.ts';
import { type Algorithm, keyId, lowS, type PublicKey, verifyDigest } from '../../core/signature.ts';
import { readDer, TAG, unsigned } from '../../core/x509/der.ts';

/** SubjectPublicKeyInfo up to the point: ecPublicKey, the named curve, a bit string of an uncompressed point (RFC 5480). */
const SPKI_HEAD: Readonly<Record<Algorithm, Uint8Array>> = {
  ES256: Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex'),
  ES256K: Buffer.from('3056301006072a8648ce3d020106052b8104000a03420004', 'hex'),
};

/** @param spki DER @throws OperationalError SIGNER_ANSWER when it is no key of that algorithm */
export function publicKeyFromSpki(algorithm: Algorithm, spki: Uint8Array): PublicKey {
  const head = SPKI_HEAD[algorithm];
  const point = spki.subarray(head.length);
  if (point.length !== 64 || !equalBytes(spki.subarray(0, head.length), head)) {
    throw badAnswer(`a public key for ${algorithm}`);
  }
  const isOdd = ((point.at(-1) ?? 0) & 1) === 1;
  const key = {
    algorithm,
    bytes: Uint8Array.of(isOdd ? 3 : 2, ...point.subarray(0, 32)),
  };
  try {
    keyId(key);
    return key;
  } catch (cause) {
    throw badAnswer(`a point of the curve of ${algorithm}`, cause);
  }
}

/** ECDSA-Sig-Value (RFC 3279, section 2.2.3) to 64 bytes, r then s. @throws OperationalError SIGNER_ANSWER */
export function signatureFromDer(der: Uint8Array): Uint8Array {
  try {
    const pair = readDer(der, TAG.sequence, 'the signature');
    const [r, s] = [unsigned(pair.next(TAG.integer)), unsigned(pair.next(TAG.integer))];
    pair.end();
    const hex = [r, s].map((value) => value.toString(16).padStart(64, '0')).join('');
    if (hex.length === 128) return Buffer.from(hex, 'hex');
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    throw badAnswer('a signature', cause);
  }
  throw badAnswer('a signature of 64 bytes');
}

/**
 * With low S, if it verifies: whatever is wrong with a tool, a token or the wires to it, what it gave goes into no
 * record unless it is the signature that was asked for.
 */
export function checkedSignature(
  key: PublicKey,
  digest: Uint8Array,
  signature: Uint8Array,
): Uint8Array | undefined {
  if (signature.length !== 64) return undefined;
  const low = lowS(key.algorithm, Uint8Array.from(signature));
  return verifyDigest(key, digest, low) ? low : undefined;
}

export function badAnswer(expected: string, cause?: unknown): OperationalError {
  const sentence = `expected ${expected} from what keeps the device key`;
  return new OperationalError('SIGNER_ANSWER', sentence, { retryable: false, cause });
}
