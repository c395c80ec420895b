/** Certificate revocation lists: complete ones, by the issuer of the certificates in them (RFC 5280, section 5). */
import { equalBytes } from '../bytes.ts';
import { readAlgorithm, schemeOf } from './algorithm.ts';
import { time } from './asn-time.ts';
import {
  authorityDepth,
  type Certificate,
  EXTENSION,
  type Extensions,
  KEY_USAGE,
  mayUseKeyFor,
  readExtensions,
} from './certificate.ts';
import {
  boolean,
  constructedTag,
  DerReader,
  integerBytes,
  primitiveTag,
  readDer,
  smallUnsigned,
  TAG,
  wholeBytes,
} from './der.ts';
import type { SignatureChecks } from './public-key.ts';
import type { Status } from './revocation-status.ts';

const ISSUING_DISTRIBUTION_POINT = '2.5.29.28';
const DELTA_INDICATOR = '2.5.29.27';
const REASON_CODE = '2.5.29.21';
const INVALIDITY_DATE = '2.5.29.24';
/** Of a list that is not critical or says nothing that narrows it: number, authority key, where to find more. */
const CRL_NUMBER = '2.5.29.20';

/**
 * @returns undefined when the list does not speak of this certificate
 * @throws FormatError DER_MALFORMED; VerificationError ALGORITHM_UNSUPPORTED
 */
export function readRevocationList(
  der: Uint8Array,
  certificate: Certificate,
  issuer: Certificate,
  checks: SignatureChecks,
): Status | undefined {
  const outer = readDer(der, TAG.sequence, 'a revocation list');
  const tbs = outer.next(TAG.sequence);
  const algorithmAt = outer.next(TAG.sequence);
  const signature = wholeBytes(outer.next(TAG.bitString));
  outer.end();
  const reader = new DerReader(tbs.content, 'a revocation list');
  const version = reader.optional(TAG.integer);
  if (version !== undefined) smallUnsigned(version, 1);
  const inner = reader.next(TAG.sequence);
  const name = reader.next(TAG.sequence);
  if (!equalBytes(inner.bytes, algorithmAt.bytes)) return undefined;
  if (!equalBytes(name.bytes, issuer.subject)) return undefined;
  if (!mayUseKeyFor(issuer, KEY_USAGE.crlSign)) return undefined;
  const algorithm = readAlgorithm(new DerReader(inner.bytes, 'a revocation list'));
  if (!checks.isSignedBy(issuer.key, schemeOf(algorithm), tbs.bytes, signature)) return undefined;
  const thisUpdate = time(reader.any());
  const hasNext = reader.nextTag === TAG.utcTime || reader.nextTag === TAG.generalizedTime;
  const nextUpdate = hasNext ? time(reader.any()) : undefined;
  const entries = reader.insideOptional(TAG.sequence);
  const extensions = readExtensions(reader.insideOptional(constructedTag(0))?.only(TAG.sequence));
  reader.end();
  if (!speaksOf(extensions, certificate)) return undefined;
  const found = entries && findEntry(entries, certificate.serial);
  return found === 'unknown' ? undefined : { thisUpdate, nextUpdate, revoked: found };
}

/** The whole list is read, also behind the entry: what is no list must not say anything. */
function findEntry(entries: DerReader, serial: Uint8Array): Status['revoked'] | 'unknown' {
  let found: Status['revoked'] | 'unknown';
  while (!entries.isAtEnd) {
    const entry = entries.inside(TAG.sequence);
    const isOurs = equalBytes(integerBytes(entry.next(TAG.integer)), serial);
    const at = time(entry.any());
    const list = entry.insideOptional(TAG.sequence);
    entry.end();
    if (!isOurs) continue;
    const extensions = readExtensions(list);
    const knows = [...extensions].every(
      ([name, { critical }]) => !critical || name === REASON_CODE || name === INVALIDITY_DATE,
    );
    found = knows ? { at, reason: reasonOf(extensions) } : 'unknown';
  }
  return found;
}

function reasonOf(extensions: Extensions): number | undefined {
  const extension = extensions.get(REASON_CODE);
  if (extension === undefined) return undefined;
  const reader = new DerReader(extension.value, 'the reason of a revocation');
  const reason = smallUnsigned(reader.next(TAG.enumerated), 10);
  reader.end();
  return reason;
}

/** A part of a list speaks of a certificate that names the part, or is of its kind. */
function speaksOf(extensions: Extensions, certificate: Certificate): boolean {
  for (const [name, { critical, value }] of extensions) {
    if (name === ISSUING_DISTRIBUTION_POINT) {
      if (!isPartFor(value, certificate)) return false;
    } else if (name === DELTA_INDICATOR) {
      return false;
    } else if (critical && name !== CRL_NUMBER && name !== EXTENSION.authorityKeyIdentifier) {
      return false;
    }
  }
  return true;
}

function isPartFor(value: Uint8Array, certificate: Certificate): boolean {
  const reader = readDer(value, TAG.sequence, 'an issuing distribution point');
  const point = reader.insideOptional(constructedTag(0));
  const [users, authorities] = [1, 2].map((n) => {
    const flag = reader.optional(primitiveTag(n));
    return flag !== undefined && boolean(flag);
  });
  // Only some reasons, or certificates of other issuers, or of attributes.
  if (!reader.isAtEnd) return false;
  const isAuthority = authorityDepth(certificate) !== undefined;
  if ((users === true && isAuthority) || (authorities === true && !isAuthority)) return false;
  return point === undefined || namesPoint(certificate, point.any().bytes);
}

function namesPoint({ extensions }: Certificate, name: Uint8Array): boolean {
  const own = extensions.get(EXTENSION.crlDistributionPoints)?.value;
  if (own === undefined) return false;
  const points = readDer(own, TAG.sequence, 'distribution points');
  return points
    .all((item) => item.inside(TAG.sequence).insideOptional(constructedTag(0)))
    .some((point) => point !== undefined && equalBytes(point.any().bytes, name));
}
