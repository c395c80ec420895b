/** What a time stamp authority says: TSTInfo (RFC 3161, section 2.4.2). */
import { FormatError } from '../errors.ts';
import { hashNamed, readAlgorithm } from '../x509/algorithm.ts';
import { generalizedTime } from '../x509/asn-time.ts';
import { readExtensions } from '../x509/certificate.ts';
import {
  boolean,
  constructedTag,
  type DerReader,
  oid,
  primitiveTag,
  readDer,
  smallUnsigned,
  TAG,
  unsigned,
} from '../x509/der.ts';

export type TstInfo = {
  /** Under which the authority stamped, in dotted decimals. */
  readonly policy: string;
  /** Digest by SHA-256 of what was stamped. */
  readonly imprint: Uint8Array;
  readonly serial: bigint;
  /** ns since 1970. */
  readonly genTime: bigint;
  /** ns around `genTime`; undefined when the token does not state it. */
  readonly accuracy: bigint | undefined;
  readonly nonce: bigint | undefined;
};

const MS = 1_000_000n;

/** @throws FormatError DER_MALFORMED, STAMP_TOKEN; VerificationError ALGORITHM_UNSUPPORTED, EXTENSION_UNSUPPORTED */
export function readTstInfo(der: Uint8Array): TstInfo {
  const reader = readDer(der, TAG.sequence, 'a time stamp');
  if (smallUnsigned(reader.next(TAG.integer), 255) !== 1) throw malformed('version 1');
  const policy = oid(reader.next(TAG.oid));
  const message = reader.inside(TAG.sequence);
  const hash = hashNamed(readAlgorithm(message));
  const imprint = message.next(TAG.octetString).content;
  message.end();
  if (hash !== 'sha256' || imprint.length !== 32) throw malformed('an imprint by SHA-256');
  const serial = unsigned(reader.next(TAG.integer));
  const genTime = generalizedTime(reader.any());
  const accuracy = readAccuracy(reader.insideOptional(TAG.sequence));
  const ordering = reader.optional(TAG.boolean);
  if (ordering !== undefined) boolean(ordering);
  const nonceAt = reader.optional(TAG.integer);
  const nonce = nonceAt && unsigned(nonceAt);
  reader.insideOptional(constructedTag(0)); // the authority's name; its certificate says it, signed
  const extensions = readExtensions(reader.insideOptional(constructedTag(1)));
  reader.end();
  for (const [name, { critical }] of extensions) {
    if (critical) throw malformed(`no critical extension, got ${name}`);
  }
  return { policy, imprint, serial, genTime, accuracy, nonce };
}

function readAccuracy(reader: DerReader | undefined): bigint | undefined {
  if (reader === undefined) return undefined;
  const seconds = reader.optional(TAG.integer);
  const millis = reader.optional(primitiveTag(0));
  const micros = reader.optional(primitiveTag(1));
  reader.end();
  return (
    1000n * MS * BigInt(seconds === undefined ? 0 : smallUnsigned(seconds, 2 ** 31)) +
    MS * BigInt(millis === undefined ? 0 : smallUnsigned(millis, 999)) +
    1000n * BigInt(micros === undefined ? 0 : smallUnsigned(micros, 999))
  );
}

function malformed(what: string): FormatError {
  return new FormatError('STAMP_TOKEN', `expected a time stamp with ${what}`);
}
