/**
 * The signature algorithms that are believed, by their object identifiers; any other is refused, SHA-1 among them.
 * Implements spec/time-stamp.md, "Algorithms"; RFC 5754, RFC 5758, RFC 4055.
 */
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import { VerificationError } from '../errors.ts';
import { constructedTag, type Der, DerReader, oid, smallUnsigned, TAG } from './der.ts';

export type HashName = 'sha256' | 'sha384' | 'sha512';

export type AlgorithmId = { readonly oid: string; readonly parameters: Der | undefined };

export type SignatureScheme =
  | { readonly kind: 'rsa' | 'ecdsa'; readonly hash: HashName }
  | { readonly kind: 'rsa-pss'; readonly hash: HashName; readonly saltLength: number };

export const HASH_OIDS: Readonly<Record<string, HashName>> = {
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
};
const RSA_WITH: Readonly<Record<string, HashName>> = {
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
};
const ECDSA_WITH: Readonly<Record<string, HashName>> = {
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
};
export const RSA_ENCRYPTION = '1.2.840.113549.1.1.1';
export const RSA_PSS = '1.2.840.113549.1.1.10';
export const EC_PUBLIC_KEY = '1.2.840.10045.2.1';
const MGF1 = '1.2.840.113549.1.1.8';

export const HASHES: Readonly<Record<HashName, (bytes: Uint8Array) => Uint8Array>> = {
  sha256: (bytes) => sha256(bytes),
  sha384: (bytes) => sha384(bytes),
  sha512: (bytes) => sha512(bytes),
};

/** @throws FormatError DER_MALFORMED */
export function readAlgorithm(reader: DerReader): AlgorithmId {
  const inside = reader.inside(TAG.sequence);
  const name = oid(inside.next(TAG.oid));
  const parameters = inside.isAtEnd ? undefined : inside.any();
  inside.end();
  return { oid: name, parameters };
}

export function unsupported(what: string): VerificationError {
  return new VerificationError('ALGORITHM_UNSUPPORTED', `${what} is not one that is believed`);
}

/** @throws VerificationError ALGORITHM_UNSUPPORTED */
export function hashNamed({ oid: name, parameters }: AlgorithmId): HashName {
  const hash = HASH_OIDS[name];
  if (hash === undefined || !isNoneOrNull(parameters)) throw unsupported(`the hash ${name}`);
  return hash;
}

/**
 * @param digest of CMS, where the signature algorithm may leave it out (RFC 3370, section 3.2)
 * @throws FormatError DER_MALFORMED; VerificationError ALGORITHM_UNSUPPORTED
 */
export function schemeOf(algorithm: AlgorithmId, digest?: HashName): SignatureScheme {
  const { oid: name, parameters } = algorithm;
  if (name === RSA_PSS) return pss(parameters);
  const ecdsa = ECDSA_WITH[name];
  if (ecdsa !== undefined && parameters === undefined) return { kind: 'ecdsa', hash: ecdsa };
  const rsa = RSA_WITH[name] ?? (name === RSA_ENCRYPTION ? digest : undefined);
  if (rsa !== undefined && isNoneOrNull(parameters)) return { kind: 'rsa', hash: rsa };
  throw unsupported(`the signature algorithm ${name}`);
}

function isNoneOrNull(parameters: Der | undefined): boolean {
  return (
    parameters === undefined || (parameters.tag === TAG.null && parameters.content.length === 0)
  );
}

/** RSASSA-PSS-params (RFC 4055, section 3.1). The defaults are SHA-1, so nothing may be left to them but the trailer. */
function pss(parameters: Der | undefined): SignatureScheme {
  if (parameters?.tag !== TAG.sequence) throw unsupported('RSASSA-PSS without parameters');
  const reader = new DerReader(parameters.content, 'parameters of RSASSA-PSS');
  const hashPart = reader.insideOptional(constructedTag(0));
  const maskPart = reader.insideOptional(constructedTag(1));
  const saltPart = reader.insideOptional(constructedTag(2));
  reader.end();
  if (hashPart === undefined || maskPart === undefined || saltPart === undefined) {
    throw unsupported('RSASSA-PSS with SHA-1 by default');
  }
  const hash = hashNamed(readAlgorithm(hashPart));
  const mask = readAlgorithm(maskPart);
  if (mask.oid !== MGF1 || mask.parameters === undefined) throw unsupported('the mask function');
  const maskHash = hashNamed(readAlgorithm(new DerReader(mask.parameters.bytes, 'mask function')));
  if (maskHash !== hash) throw unsupported('RSASSA-PSS with two hashes');
  const saltLength = smallUnsigned(saltPart.next(TAG.integer), 512);
  return { kind: 'rsa-pss', hash, saltLength };
}
