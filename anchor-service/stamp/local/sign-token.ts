/** The token that a local authority gives: TSTInfo in CMS SignedData (RFC 3161, RFC 5652, RFC 5816). */

import { compareBytes } from '../../../core/bytes.ts';
import { sha256 } from '../../../core/hash.ts';
import { TST_INFO } from '../../../core/tsp/token.ts';
import type { Certificate } from '../../../core/x509/certificate.ts';
import { constructedTag, primitiveTag, TAG } from '../../../core/x509/der.ts';
import {
  ascii,
  element,
  integer,
  objectId,
  octets,
  sequence,
} from '../../../core/x509/der-writer.ts';
import { ECDSA_WITH_SHA_256, type Sign } from './issue.ts';

const SHA_256 = sequence(objectId('2.16.840.1.101.3.4.2.1'));

export type StampContent = {
  readonly policy: string;
  /** SHA-256 digest. */
  readonly imprint: Uint8Array;
  readonly serial: bigint;
  /** Unix time. */
  readonly genTimeMs: number;
  /** Undefined: none is stated (RFC 3161, section 2.4.2). */
  readonly accuracyMs: number | undefined;
  readonly nonce: bigint | undefined;
};

/** @returns DER TSTInfo */
export function encodeTstInfo(content: StampContent): Uint8Array {
  const { policy, imprint, serial, genTimeMs, accuracyMs, nonce } = content;
  return sequence(
    integer(1),
    objectId(policy),
    sequence(SHA_256, octets(imprint)),
    integer(serial),
    ascii(TAG.generalizedTime, generalizedTime(genTimeMs)),
    ...(accuracyMs === undefined ? [] : [accuracy(accuracyMs)]),
    ...(nonce === undefined ? [] : [integer(nonce)]),
  );
}

function accuracy(ms: number): Uint8Array {
  const millis = ms % 1000;
  return sequence(
    integer(Math.floor(ms / 1000)),
    ...(millis === 0 ? [] : [element(primitiveTag(0), integer(millis).subarray(2))]),
  );
}

/** Without zeros at the end of the fraction (RFC 3161, section 2.4.2). */
function generalizedTime(atMs: number): string {
  const [whole = '', fraction = ''] = new Date(atMs)
    .toISOString()
    .replace(/[-:TZ]/g, '')
    .split('.');
  const digits = fraction.replace(/0+$/, '');
  return `${whole}${digits === '' ? '' : `.${digits}`}Z`;
}

/** @param sign by the certificate's key @returns DER TimeStampToken */
export function signToken(info: Uint8Array, certificate: Certificate, sign: Sign): Uint8Array {
  const attributes = [
    attribute('1.2.840.113549.1.9.3', objectId(TST_INFO)),
    attribute('1.2.840.113549.1.9.4', octets(sha256(info))),
    // SigningCertificateV2: SHA-256 is the default and left out.
    attribute(
      '1.2.840.113549.1.9.16.2.47',
      sequence(sequence(sequence(octets(sha256(certificate.der))))),
    ),
  ].sort(compareBytes);
  const signer = sequence(
    integer(1),
    sequence(certificate.issuer, element(TAG.integer, certificate.serial)),
    SHA_256,
    element(constructedTag(0), ...attributes),
    ECDSA_WITH_SHA_256,
    octets(sign(element(TAG.set, ...attributes))),
  );
  const data = sequence(
    integer(3),
    element(TAG.set, SHA_256),
    sequence(objectId(TST_INFO), element(constructedTag(0), octets(info))),
    element(constructedTag(0), certificate.der),
    element(TAG.set, signer),
  );
  return sequence(objectId('1.2.840.113549.1.7.2'), element(constructedTag(0), data));
}

function attribute(name: string, value: Uint8Array): Uint8Array {
  return sequence(objectId(name), element(TAG.set, value));
}
