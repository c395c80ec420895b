/**
 * From a certificate up to one that is trusted (RFC 5280, section 6), at a moment in the past.
 * Implements spec/time-stamp.md, "Verification".
 */
import { equalBytes } from '../bytes.ts';
import { VerificationError } from '../errors.ts';
import {
  authorityDepth,
  type Certificate,
  EXTENSION,
  isIssuedBy,
  KEY_USAGE,
  mayUseKeyFor,
} from './certificate.ts';
import type { SignatureChecks } from './public-key.ts';

/** Certificates, the trusted one included. */
const MAX_PATH = 8;

/** What is looked at here, or says nothing that restricts. */
const KNOWN_EXTENSIONS: ReadonlySet<string> = new Set([
  EXTENSION.subjectKeyIdentifier,
  EXTENSION.keyUsage,
  EXTENSION.subjectAltName,
  EXTENSION.basicConstraints,
  EXTENSION.crlDistributionPoints,
  // Policies of certificates restrict only whoever asks for one; nobody here does.
  EXTENSION.certificatePolicies,
  EXTENSION.authorityKeyIdentifier,
  EXTENSION.extendedKeyUsage,
]);

/**
 * The first path found, from the certificate itself to a trusted one; a trusted certificate needs no path.
 * @returns undefined when there is none
 * @throws FormatError DER_MALFORMED; VerificationError ALGORITHM_UNSUPPORTED, SIGNATURE_BUDGET
 */
export function findPath(
  certificate: Certificate,
  pool: readonly Certificate[],
  trusted: readonly Certificate[],
  checks: SignatureChecks,
): readonly Certificate[] | undefined {
  const extend = (path: readonly Certificate[]): readonly Certificate[] | undefined => {
    const last = path.at(-1);
    if (last === undefined) return undefined;
    if (isOneOf(last, trusted)) return path;
    if (path.length === MAX_PATH) return undefined;
    // Trusted ones first: a path is not made longer than it must be.
    for (const issuer of [...trusted, ...pool]) {
      if (isOneOf(issuer, path) || !equalBytes(issuer.subject, last.issuer)) continue;
      const found = isIssuedBy(last, issuer, checks) ? extend([...path, issuer]) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return extend([certificate]);
}

function isOneOf({ der }: Certificate, list: readonly Certificate[]): boolean {
  return list.some((other) => equalBytes(other.der, der));
}

/**
 * @param path as `findPath` gives it
 * @param at ns since 1970
 * @throws FormatError DER_MALFORMED; VerificationError STAMP_EXPIRED, STAMP_CHAIN, EXTENSION_UNSUPPORTED
 */
export function checkPath(path: readonly Certificate[], at: bigint): void {
  path.forEach((certificate, below) => {
    if (at < certificate.notBefore || at > certificate.notAfter) {
      throw new VerificationError(
        'STAMP_EXPIRED',
        `certificate ${below} of the chain was not valid at the time of the stamp`,
      );
    }
    for (const [name, { critical }] of certificate.extensions) {
      if (critical && !KNOWN_EXTENSIONS.has(name)) {
        throw new VerificationError(
          'EXTENSION_UNSUPPORTED',
          `certificate ${below} of the chain has the critical extension ${name}, which is not known`,
        );
      }
    }
    // Authorities that renew their own certificate do not count (RFC 5280, section 6.1).
    const between = path.slice(1, below).filter((one) => !equalBytes(one.subject, one.issuer));
    if (below > 0 && !mayIssue(certificate, between.length)) {
      throw new VerificationError(
        'STAMP_CHAIN',
        `certificate ${below} of the chain may not issue the one below it`,
      );
    }
  });
}

/** @param between authorities between it and the lowest certificate */
function mayIssue(certificate: Certificate, between: number): boolean {
  const depth = authorityDepth(certificate);
  return (
    depth !== undefined && between <= depth && mayUseKeyFor(certificate, KEY_USAGE.keyCertSign)
  );
}
