/** OCSP responses: by the issuer, or by whom it certified for that (RFC 6960, section 4.2). */
import { sha1 } from '@noble/hashes/legacy.js';
import { equalBytes } from '../bytes.ts';
import { HASH_OIDS, HASHES, readAlgorithm, schemeOf } from './algorithm.ts';
import { generalizedTime } from './asn-time.ts';
import {
  type Certificate,
  isIssuedBy,
  KEY_USAGE,
  keyPurposes,
  mayUseKeyFor,
  readCertificate,
} from './certificate.ts';
import {
  constructedTag,
  type Der,
  DerReader,
  integerBytes,
  oid,
  primitiveTag,
  readDer,
  smallUnsigned,
  TAG,
  wholeBytes,
} from './der.ts';
import type { SignatureChecks } from './public-key.ts';
import type { Status } from './revocation-status.ts';

const BASIC_RESPONSE = '1.3.6.1.5.5.7.48.1.1';
const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9';
const SHA_1 = '1.3.14.3.2.26';
const MAX_RESPONDERS = 4;

/**
 * @returns undefined when the response does not speak of this certificate, or nobody who may has signed it
 * @throws FormatError DER_MALFORMED; VerificationError ALGORITHM_UNSUPPORTED
 */
export function readOcspResponse(
  der: Uint8Array,
  certificate: Certificate,
  issuer: Certificate,
  checks: SignatureChecks,
): Status | undefined {
  const outer = readDer(der, TAG.sequence, 'an OCSP response');
  const isSuccessful = smallUnsigned(outer.next(TAG.enumerated), 6) === 0;
  const wrapper = outer.insideOptional(constructedTag(0))?.only(TAG.sequence);
  outer.end();
  if (!isSuccessful || wrapper === undefined) return undefined;
  if (oid(wrapper.next(TAG.oid)) !== BASIC_RESPONSE) return undefined;
  const basic = readDer(wrapper.next(TAG.octetString).content, TAG.sequence, 'an OCSP response');
  wrapper.end();
  const tbs = basic.next(TAG.sequence);
  const algorithm = readAlgorithm(basic);
  const signature = wholeBytes(basic.next(TAG.bitString));
  const carried = basic.insideOptional(constructedTag(0))?.only(TAG.sequence);
  basic.end();
  const reader = new DerReader(tbs.content, 'an OCSP response');
  const version = reader.insideOptional(constructedTag(0));
  if (version !== undefined) smallUnsigned(version.next(TAG.integer), 0);
  reader.any(); // who signed is found by trying the few that may
  const producedAt = generalizedTime(reader.any());
  const responses = reader.inside(TAG.sequence);
  reader.insideOptional(constructedTag(1));
  reader.end();
  const found = findResponse(responses, certificate, issuer);
  if (found === undefined) return undefined;
  const scheme = schemeOf(algorithm);
  const isSigned = responders(issuer, carried, producedAt, checks).some((one) =>
    checks.isSignedBy(one.key, scheme, tbs.bytes, signature),
  );
  return isSigned ? found : undefined;
}

/** The issuer itself, or certificates by the same key as the one that is asked about, made for this purpose. */
function responders(
  issuer: Certificate,
  carried: DerReader | undefined,
  at: bigint,
  checks: SignatureChecks,
): readonly Certificate[] {
  const certificates = carried?.all((item) => readCertificate(item.any().bytes)) ?? [];
  const delegated = certificates
    .slice(0, MAX_RESPONDERS)
    .filter(
      (one) =>
        keyPurposes(one.extensions)?.purposes.includes(OCSP_SIGNING) === true &&
        mayUseKeyFor(one, KEY_USAGE.digitalSignature, KEY_USAGE.nonRepudiation) &&
        at >= one.notBefore &&
        at <= one.notAfter &&
        isIssuedBy(one, issuer, checks),
    );
  return [issuer, ...delegated];
}

function findResponse(
  responses: DerReader,
  certificate: Certificate,
  issuer: Certificate,
): Status | undefined {
  let found: Status | undefined;
  while (!responses.isAtEnd) {
    const reader = responses.inside(TAG.sequence);
    const isOurs = namesCertificate(reader.inside(TAG.sequence), certificate, issuer);
    const status = reader.any();
    const thisUpdate = generalizedTime(reader.any());
    const next = reader.insideOptional(constructedTag(0));
    const nextUpdate = next === undefined ? undefined : generalizedTime(next.any());
    reader.insideOptional(constructedTag(1));
    reader.end();
    if (!isOurs || status.tag === primitiveTag(2)) continue;
    found = { thisUpdate, nextUpdate, revoked: revocation(status) };
  }
  return found;
}

/** SHA-1 is a name here that both sides compute, and nothing is signed by it (RFC 6960, section 4.3). */
function namesCertificate(id: DerReader, certificate: Certificate, issuer: Certificate): boolean {
  const { oid: name } = readAlgorithm(id);
  const nameHash = id.next(TAG.octetString).content;
  const keyHash = id.next(TAG.octetString).content;
  const serial = integerBytes(id.next(TAG.integer));
  id.end();
  const believed = HASH_OIDS[name];
  const hash = name === SHA_1 ? sha1 : believed && HASHES[believed];
  return (
    hash !== undefined &&
    equalBytes(serial, certificate.serial) &&
    equalBytes(nameHash, hash(issuer.subject)) &&
    equalBytes(keyHash, hash(issuer.key.bytes))
  );
}

function revocation(status: Der): Status['revoked'] {
  if (status.tag === primitiveTag(0)) return undefined;
  const reader = new DerReader(status.bytes, 'an OCSP response').only(constructedTag(1));
  const at = generalizedTime(reader.any());
  const reason = reader.insideOptional(constructedTag(0));
  reader.end();
  return { at, reason: reason && smallUnsigned(reason.next(TAG.enumerated), 10) };
}
