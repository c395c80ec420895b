/**
 * Whether a time stamp authority that is trusted has stamped a digest, and when.
 * Implements spec/time-stamp.md, "Verification": RFC 3161, RFC 5816, RFC 5652, RFC 5280.
 */
import { equalBytes, toHex } from '../bytes.ts';
import { VerificationError } from '../errors.ts';
import { HASHES, hashNamed, readAlgorithm, schemeOf } from '../x509/algorithm.ts';
import {
  type Certificate,
  EXTENSION,
  KEY_USAGE,
  keyPurposes,
  mayUseKeyFor,
  readCertificate,
} from '../x509/certificate.ts';
import {
  constructedTag,
  type Der,
  DerReader,
  integerBytes,
  oid,
  readDer,
  TAG,
} from '../x509/der.ts';
import { checkPath, findPath } from '../x509/path.ts';
import { SignatureChecks } from '../x509/public-key.ts';
import { checkNotRevoked } from '../x509/revocation.ts';
import { readToken, type Token, TST_INFO } from './token.ts';
import type { TstInfo } from './tst-info.ts';

/** Whom stamps are believed from. */
export type TrustedAuthority = {
  /** The authority's own certificate, or one above it. */
  readonly certificate: Certificate;
  /** Under which it must have stamped, in dotted decimals; any when empty. */
  readonly policies: readonly string[];
};

/** DER; a time stamp has all three (core/time-stamp.ts). */
export type TokenEvidence = {
  readonly token: Uint8Array;
  readonly certificates: readonly Uint8Array[];
  readonly revocation: readonly Uint8Array[];
};

export type VerifiedToken = {
  readonly info: TstInfo;
  /** Seconds since 1970, rounded up: what was stamped existed then. `genTime` + accuracy. */
  readonly notAfterSeconds: bigint;
  /** Which of the trusted ones the chain leads to. */
  readonly authority: number;
  /** That signed the token. */
  readonly signer: Certificate;
};

const TIME_STAMPING = '1.3.6.1.5.5.7.3.8';
const CONTENT_TYPE = '1.2.840.113549.1.9.3';
const MESSAGE_DIGEST = '1.2.840.113549.1.9.4';
const SIGNING_CERTIFICATE_V2 = '1.2.840.113549.1.9.16.2.47';
const NS = 1_000_000_000n;

/**
 * In the order of the page, so that the first rule that does not hold gives the code.
 * @param imprint SHA-256 digest that must be stamped
 * @param checks shared by all stamps of a bundle
 * @throws FormatError DER_MALFORMED, STAMP_TOKEN; VerificationError STAMP_*, and those that say that nothing is known:
 *   ALGORITHM_UNSUPPORTED, EXTENSION_UNSUPPORTED, AUTHORITY_UNKNOWN, STAMP_POLICY_UNKNOWN, REVOCATION_UNKNOWN, SIGNATURE_BUDGET
 */
export function verifyToken(
  evidence: TokenEvidence,
  imprint: Uint8Array,
  trusted: readonly TrustedAuthority[],
  checks: SignatureChecks = new SignatureChecks(64),
): VerifiedToken {
  const { path, ...verified } = verifyUnlessRevoked(evidence, imprint, trusted, checks);
  const { genTime } = verified.info;
  path.slice(0, -1).forEach((certificate, i) => {
    const issuer = path[i + 1] ?? certificate;
    checkNotRevoked(certificate, issuer, evidence.revocation, genTime, checks);
  });
  return verified;
}

/**
 * Everything but revocation: for whoever is about to fetch what says that nothing of the path was revoked.
 * @returns with the certificates from the signer up to the trusted one
 * @throws as `verifyToken`
 */
export function verifyUnlessRevoked(
  evidence: Pick<TokenEvidence, 'token' | 'certificates'>,
  imprint: Uint8Array,
  trusted: readonly TrustedAuthority[],
  checks: SignatureChecks = new SignatureChecks(64),
): VerifiedToken & { readonly path: readonly Certificate[] } {
  const token = readToken(evidence.token);
  const { info } = token;
  if (!equalBytes(info.imprint, imprint)) {
    throw failure(
      'STAMP_IMPRINT',
      `expected imprint ${toHex(imprint)}, got ${toHex(info.imprint)}`,
    );
  }
  const pool = [...token.certificates, ...evidence.certificates.map(readCertificate)];
  const signer = signerOf(token, pool);
  checkBinding(token, signer);
  checkSignature(token, signer, checks);
  checkPurpose(signer);
  const path = pathOf(signer, pool, trusted, checks);
  checkPath(path, info.genTime);
  const authority = authorityFor(info, path, trusted);
  const latest = info.genTime + (info.accuracy ?? 0n);
  return { info, notAfterSeconds: (latest + NS - 1n) / NS, authority, signer, path };
}

function signerOf({ signer: { id } }: Token, pool: readonly Certificate[]): Certificate {
  const found = pool.find((certificate) =>
    'issuer' in id
      ? equalBytes(certificate.issuer, id.issuer) && equalBytes(certificate.serial, id.serial)
      : equalBytes(keyIdentifier(certificate), id.keyIdentifier),
  );
  if (found === undefined) {
    throw failure('STAMP_SIGNER', 'the certificate of the signer is not in the stamp');
  }
  return found;
}

function keyIdentifier({ extensions }: Certificate): Uint8Array {
  const value = extensions.get(EXTENSION.subjectKeyIdentifier)?.value;
  if (value === undefined) return new Uint8Array(0);
  return new DerReader(value, 'a key identifier').next(TAG.octetString).content;
}

/** The signed attributes name the content, its digest and the very certificate (RFC 5652, section 11; RFC 5816). */
function checkBinding({ signer, content }: Token, certificate: Certificate): void {
  const { attributes, digest } = signer;
  const contentType = attributes.get(CONTENT_TYPE);
  if (contentType?.tag !== TAG.oid || oid(contentType) !== TST_INFO) {
    throw failure('STAMP_CONTENT', 'the signed attributes name another kind of content');
  }
  const messageDigest = attributes.get(MESSAGE_DIGEST);
  const isDigest =
    messageDigest?.tag === TAG.octetString &&
    equalBytes(messageDigest.content, HASHES[digest](content));
  if (!isDigest) throw failure('STAMP_CONTENT', 'the signed digest is that of another content');
  const named = attributes.get(SIGNING_CERTIFICATE_V2);
  if (named === undefined) {
    throw failure('STAMP_CERTIFICATE', 'no ESSCertIDv2 says which certificate signed');
  }
  if (!isNamed(named, certificate)) {
    throw failure('STAMP_CERTIFICATE', 'the ESSCertIDv2 is that of another certificate');
  }
}

/** The first ESSCertIDv2 is the signer's (RFC 5035, section 3); issuer and serial, where given, too. */
function isNamed(value: Der, certificate: Certificate): boolean {
  const list = readDer(value.bytes, TAG.sequence, 'a signing certificate').inside(TAG.sequence);
  const id = list.inside(TAG.sequence);
  const hash = id.nextTag === TAG.sequence ? hashNamed(readAlgorithm(id)) : 'sha256';
  const certHash = id.next(TAG.octetString).content;
  const issuerSerial = id.insideOptional(TAG.sequence);
  id.end();
  if (!equalBytes(certHash, HASHES[hash](certificate.der))) return false;
  if (issuerSerial === undefined) return true;
  const names = issuerSerial.inside(TAG.sequence);
  const serial = integerBytes(issuerSerial.next(TAG.integer));
  issuerSerial.end();
  const name = names.nextTag === constructedTag(4) ? names.any() : undefined;
  return (
    name !== undefined &&
    names.isAtEnd &&
    equalBytes(name.content, certificate.issuer) &&
    equalBytes(serial, certificate.serial)
  );
}

function checkSignature(
  { signer }: Token,
  certificate: Certificate,
  checks: SignatureChecks,
): void {
  const { digest, algorithm, attributesSigned, signature } = signer;
  const scheme = schemeOf(algorithm, digest);
  const isValid =
    scheme.hash === digest &&
    checks.isSignedBy(certificate.key, scheme, attributesSigned, signature);
  if (!isValid) throw failure('STAMP_SIGNATURE', 'the token is not signed by its certificate');
}

/** For time stamps and for nothing else, and nobody may pass over that (RFC 3161, section 2.3). */
function checkPurpose(certificate: Certificate): void {
  const usage = keyPurposes(certificate.extensions);
  if (usage === undefined || !usage.purposes.includes(TIME_STAMPING)) {
    throw failure('STAMP_USAGE', 'the certificate is not for time stamps');
  }
  if (!usage.critical) throw failure('STAMP_USAGE', 'the extended key usage is not critical');
  if (usage.purposes.length > 1) {
    throw failure('STAMP_USAGE', 'the certificate is for other purposes as well');
  }
  if (!mayUseKeyFor(certificate, KEY_USAGE.digitalSignature, KEY_USAGE.nonRepudiation)) {
    throw failure('STAMP_USAGE', 'the key of the certificate may not sign');
  }
}

function pathOf(
  signer: Certificate,
  pool: readonly Certificate[],
  trusted: readonly TrustedAuthority[],
  checks: SignatureChecks,
): readonly Certificate[] {
  const path = findPath(
    signer,
    pool,
    trusted.map(({ certificate }) => certificate),
    checks,
  );
  if (path === undefined) {
    throw failure('AUTHORITY_UNKNOWN', 'no chain leads to an authority that is trusted');
  }
  return path;
}

function authorityFor(
  { policy }: TstInfo,
  path: readonly Certificate[],
  trusted: readonly TrustedAuthority[],
): number {
  const top = path.at(-1);
  const found = trusted.findIndex(
    ({ certificate, policies }) =>
      top !== undefined &&
      equalBytes(certificate.der, top.der) &&
      (policies.length === 0 || policies.includes(policy)),
  );
  if (found < 0) {
    throw failure('STAMP_POLICY_UNKNOWN', `the stamp was made under policy ${policy}`);
  }
  return found;
}

function failure(code: string, message: string): VerificationError {
  return new VerificationError(code, message);
}
