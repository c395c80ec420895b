/** Certificates and revocation lists of a local authority (RFC 5280). ECDSA on P-256 with SHA-256 throughout. */
import { EXTENSION } from '../../../core/x509/certificate.ts';
import { constructedTag, primitiveTag, TAG } from '../../../core/x509/der.ts';
import {
  ascii,
  bits,
  element,
  integer,
  objectId,
  octets,
  sequence,
  truth,
} from '../../../core/x509/der-writer.ts';

/** Message to DER signature. */
export type Sign = (message: Uint8Array) => Uint8Array;

export const ECDSA_WITH_SHA_256 = sequence(objectId('1.2.840.10045.4.3.2'));
const COMMON_NAME = '2.5.4.3';
const UTF8_STRING = 0x0c;
const TIME_STAMPING = '1.3.6.1.5.5.7.3.8';

/** @param text ASCII */
export function commonName(text: string): Uint8Array {
  const attribute = sequence(objectId(COMMON_NAME), ascii(UTF8_STRING, text));
  return sequence(element(TAG.set, attribute));
}

export function extension(name: string, value: Uint8Array, isCritical: boolean): Uint8Array {
  return sequence(objectId(name), ...(isCritical ? [truth()] : []), octets(value));
}

/** UTCTime up to 2049, as RFC 5280 wants it. @param atMs Unix time */
function utcTime(atMs: number): Uint8Array {
  const text = new Date(atMs).toISOString().replace(/[-:T]/g, '').slice(0, 14);
  return text < '2050'
    ? ascii(TAG.utcTime, `${text.slice(2)}Z`)
    : ascii(TAG.generalizedTime, `${text}Z`);
}

export type CertificateContent = {
  /** Encoded names. */
  readonly subject: Uint8Array;
  readonly issuer: Uint8Array;
  readonly serial: bigint;
  /** Unix time. */
  readonly fromMs: number;
  readonly toMs: number;
  /** DER SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  readonly extensions: readonly Uint8Array[];
};

/** @param sign by the issuer's key @returns DER */
export function issueCertificate(content: CertificateContent, sign: Sign): Uint8Array {
  const { subject, issuer, serial, fromMs, toMs, publicKey, extensions } = content;
  const tbs = sequence(
    element(constructedTag(0), integer(2)),
    integer(serial),
    ECDSA_WITH_SHA_256,
    issuer,
    sequence(utcTime(fromMs), utcTime(toMs)),
    subject,
    publicKey,
    element(constructedTag(3), sequence(...extensions)),
  );
  return signed(tbs, sign);
}

export type RevokedEntry = {
  readonly serial: bigint;
  readonly atMs: number;
  /** RFC 5280, section 5.3.1; none: not stated. */
  readonly reason: number | undefined;
};

/**
 * @param times `nextMs` undefined: no next list is promised
 * @returns DER
 */
export function issueRevocationList(
  issuer: Uint8Array,
  times: { readonly thisMs: number; readonly nextMs: number | undefined },
  entries: readonly RevokedEntry[],
  sign: Sign,
): Uint8Array {
  const listed = entries.map(({ serial, atMs, reason }) =>
    sequence(
      integer(serial),
      utcTime(atMs),
      ...(reason === undefined
        ? []
        : [
            sequence(extension('2.5.29.21', element(TAG.enumerated, Uint8Array.of(reason)), false)),
          ]),
    ),
  );
  const tbs = sequence(
    integer(1),
    ECDSA_WITH_SHA_256,
    issuer,
    utcTime(times.thisMs),
    ...(times.nextMs === undefined ? [] : [utcTime(times.nextMs)]),
    // An empty list must be left out.
    ...(listed.length === 0 ? [] : [sequence(...listed)]),
    element(constructedTag(0), sequence(extension('2.5.29.20', integer(times.thisMs), false))),
  );
  return signed(tbs, sign);
}

function signed(tbs: Uint8Array, sign: Sign): Uint8Array {
  return sequence(tbs, ECDSA_WITH_SHA_256, bits(sign(tbs)));
}

export function authorityExtensions(): readonly Uint8Array[] {
  return [
    extension(EXTENSION.basicConstraints, sequence(truth()), true),
    // keyCertSign and cRLSign: bits 5 and 6.
    extension(EXTENSION.keyUsage, element(TAG.bitString, Uint8Array.of(1, 0b0000_0110)), true),
  ];
}

/** @param listUrl where the issuer's revocation list is */
export function stamperExtensions(listUrl: string): readonly Uint8Array[] {
  const name = element(constructedTag(0), ascii(primitiveTag(6), listUrl));
  const point = sequence(element(constructedTag(0), name));
  return [
    extension(EXTENSION.basicConstraints, sequence(), true),
    // digitalSignature: bit 0.
    extension(EXTENSION.keyUsage, element(TAG.bitString, Uint8Array.of(7, 0b1000_0000)), true),
    extension(EXTENSION.extendedKeyUsage, sequence(objectId(TIME_STAMPING)), true),
    extension(EXTENSION.crlDistributionPoints, sequence(point), false),
  ];
}
