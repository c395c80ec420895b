/** X.509 certificates, as far as a chain of them is followed (RFC 5280, section 4.1). */

import { equalBytes } from '../bytes.ts';
import { FormatError } from '../errors.ts';
import { type AlgorithmId, readAlgorithm, schemeOf } from './algorithm.ts';
import { time } from './asn-time.ts';
import {
  boolean,
  constructedTag,
  DerReader,
  integerBytes,
  namedBits,
  oid,
  primitiveTag,
  readDer,
  smallUnsigned,
  TAG,
  wholeBytes,
} from './der.ts';
import { readSubjectKey, type SignatureChecks, type SubjectKey } from './public-key.ts';

export const EXTENSION = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  crlDistributionPoints: '2.5.29.31',
  certificatePolicies: '2.5.29.32',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  authorityInfoAccess: '1.3.6.1.5.5.7.1.1',
} as const;

export type Extension = { readonly critical: boolean; readonly value: Uint8Array };
export type Extensions = ReadonlyMap<string, Extension>;

export type Certificate = {
  readonly der: Uint8Array;
  /** What the issuer signed. */
  readonly tbs: Uint8Array;
  /** Content of the INTEGER, as it stands. */
  readonly serial: Uint8Array;
  /** Encoded names; compared byte for byte, which is stricter than RFC 5280, section 7.1. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** ns since 1970; valid at both. */
  readonly notBefore: bigint;
  readonly notAfter: bigint;
  readonly key: SubjectKey;
  readonly algorithm: AlgorithmId;
  readonly signature: Uint8Array;
  readonly extensions: Extensions;
};

/** @throws FormatError DER_MALFORMED */
export function readCertificate(der: Uint8Array): Certificate {
  const outer = readDer(der, TAG.sequence, 'a certificate');
  const tbs = outer.next(TAG.sequence);
  const algorithmAt = outer.next(TAG.sequence);
  const signature = wholeBytes(outer.next(TAG.bitString));
  outer.end();
  const reader = new DerReader(tbs.content, 'a certificate');
  const version = reader.insideOptional(constructedTag(0));
  if (version !== undefined) smallUnsigned(version.next(TAG.integer), 2);
  const serial = integerBytes(reader.next(TAG.integer));
  const inner = reader.next(TAG.sequence);
  // RFC 5280, section 4.1.1.2: the signed one counts, and the outer one must be the same.
  if (!equalBytes(inner.bytes, algorithmAt.bytes)) throw malformed('one signature algorithm');
  const algorithm = readAlgorithm(new DerReader(inner.bytes, 'a certificate'));
  const issuer = reader.next(TAG.sequence).bytes;
  const validity = reader.inside(TAG.sequence);
  const notBefore = time(validity.any());
  const notAfter = time(validity.any());
  validity.end();
  const subject = reader.next(TAG.sequence).bytes;
  const key = readSubjectKey(reader);
  reader.optional(primitiveTag(1));
  reader.optional(primitiveTag(2));
  const extensions = readExtensions(reader.insideOptional(constructedTag(3))?.only(TAG.sequence));
  reader.end();
  return {
    ...{ der, tbs: tbs.bytes, serial, issuer, subject, notBefore, notAfter },
    ...{ key, algorithm, signature, extensions },
  };
}

/** Each at most once (RFC 5280, section 4.2). @param list their sequence @throws FormatError DER_MALFORMED */
export function readExtensions(list: DerReader | undefined): Extensions {
  const extensions = new Map<string, Extension>();
  if (list === undefined) return extensions;
  while (!list.isAtEnd) {
    const reader = list.inside(TAG.sequence);
    const name = oid(reader.next(TAG.oid));
    const critical = reader.optional(TAG.boolean);
    const value = reader.next(TAG.octetString).content;
    reader.end();
    if (extensions.has(name)) throw malformed(`extension ${name} once`);
    extensions.set(name, { critical: critical !== undefined && boolean(critical), value });
  }
  return extensions;
}

function malformed(what: string): FormatError {
  return new FormatError('DER_MALFORMED', `expected ${what} in a certificate`);
}

/** @throws FormatError DER_MALFORMED; VerificationError ALGORITHM_UNSUPPORTED, SIGNATURE_BUDGET */
export function isIssuedBy(
  certificate: Certificate,
  issuer: Certificate,
  checks: SignatureChecks,
): boolean {
  return (
    equalBytes(certificate.issuer, issuer.subject) &&
    checks.isSignedBy(
      issuer.key,
      schemeOf(certificate.algorithm),
      certificate.tbs,
      certificate.signature,
    )
  );
}

/** Names of key purposes; undefined without the extension. @throws FormatError DER_MALFORMED */
export function keyPurposes(
  extensions: Extensions,
): { readonly critical: boolean; readonly purposes: readonly string[] } | undefined {
  const extension = extensions.get(EXTENSION.extendedKeyUsage);
  if (extension === undefined) return undefined;
  const reader = readDer(extension.value, TAG.sequence, 'an extended key usage');
  const purposes = reader.all((item) => oid(item.next(TAG.oid)));
  return { critical: extension.critical, purposes };
}

export const KEY_USAGE = { digitalSignature: 0, nonRepudiation: 1, keyCertSign: 5, crlSign: 6 };

/** True where no key usage is stated. @throws FormatError DER_MALFORMED */
export function mayUseKeyFor({ extensions }: Certificate, ...bits: readonly number[]): boolean {
  const extension = extensions.get(EXTENSION.keyUsage);
  if (extension === undefined) return true;
  const outer = new DerReader(extension.value, 'a key usage');
  const has = namedBits(outer.next(TAG.bitString));
  outer.end();
  return bits.some(has);
}

/** Undefined: no certification authority. @throws FormatError DER_MALFORMED */
export function authorityDepth({ extensions }: Certificate): number | undefined {
  const extension = extensions.get(EXTENSION.basicConstraints);
  if (extension === undefined) return undefined;
  const reader = readDer(extension.value, TAG.sequence, 'basic constraints');
  const isAuthority = reader.optional(TAG.boolean);
  const depth = reader.optional(TAG.integer);
  reader.end();
  if (isAuthority === undefined || !boolean(isAuthority)) return undefined;
  return depth === undefined ? Number.MAX_SAFE_INTEGER : smallUnsigned(depth, 255);
}
