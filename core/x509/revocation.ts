/**
 * Whether a certificate was revoked, from lists and responses that were kept with a stamp.
 * Implements spec/time-stamp.md, "Revocation"; RFC 5280, section 5; RFC 6960; RFC 3161, section 4.
 */
import { VerificationError } from '../errors.ts';
import type { Certificate } from './certificate.ts';
import { readRevocationList } from './crl.ts';
import { DerReader, TAG } from './der.ts';
import { readOcspResponse } from './ocsp.ts';
import type { SignatureChecks } from './public-key.ts';
import type { Status } from './revocation-status.ts';

/** unspecified, affiliationChanged, superseded, cessationOfOperation: the key was not lost (RFC 3161, section 4). */
const HARMLESS_REASONS: readonly number[] = [0, 3, 4, 5];

/**
 * @param evidence DER, certificate revocation lists and OCSP responses in any order
 * @param at ns since 1970, the time of the stamp
 * @throws FormatError DER_MALFORMED; VerificationError STAMP_REVOKED, REVOCATION_UNKNOWN, ALGORITHM_UNSUPPORTED
 */
export function checkNotRevoked(
  certificate: Certificate,
  issuer: Certificate,
  evidence: readonly Uint8Array[],
  at: bigint,
  checks: SignatureChecks,
): void {
  const statuses = evidence.flatMap((der) => statusIn(der, certificate, issuer, checks) ?? []);
  for (const { revoked } of statuses) {
    if (revoked === undefined) continue;
    const lostKey = revoked.reason === undefined || !HARMLESS_REASONS.includes(revoked.reason);
    if (lostKey || revoked.at <= at) {
      throw new VerificationError(
        'STAMP_REVOKED',
        lostKey
          ? 'a certificate of the chain was revoked for a reason that voids what its key signed'
          : 'a certificate of the chain was revoked before the time of the stamp',
      );
    }
  }
  // One that was current at the time of the stamp, or was made later. One that promises no next was never current
  // for longer than the moment in which it was made.
  const isKnown = statuses.some(
    ({ thisUpdate, nextUpdate }) =>
      thisUpdate >= at || (nextUpdate !== undefined && nextUpdate >= at),
  );
  if (!isKnown) {
    throw new VerificationError(
      'REVOCATION_UNKNOWN',
      'nothing in the stamp says whether a certificate of the chain was revoked',
    );
  }
}

/** Undefined: it says nothing of this certificate, or it is not by whom the issuer lets speak. */
function statusIn(
  der: Uint8Array,
  certificate: Certificate,
  issuer: Certificate,
  checks: SignatureChecks,
): Status | undefined {
  return isRevocationList(der)
    ? readRevocationList(der, certificate, issuer, checks)
    : readOcspResponse(der, certificate, issuer, checks);
}

/** A list starts with what is signed, a response with its status. */
function isRevocationList(der: Uint8Array): boolean {
  return new DerReader(der, 'revocation data').inside(TAG.sequence).nextTag === TAG.sequence;
}
