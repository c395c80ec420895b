/**
 * COSE_Sign1 with one protected header template per record type and nothing unprotected.
 * Implements spec/signatures.md; RFC 9052 sections 4.2 and 4.4, RFC 9596 (typ), RFC 9679 (kid).
 */
import { asciiBytes, concatBytes, equalBytes } from './bytes.ts';
import { encodeCbor, encodeCborBehind } from './cbor.ts';
import { FormatError, VerificationError } from './errors.ts';
import { type Hash, sha256 } from './hash.ts';
import { COSE_ALGORITHM, keyId, type PublicKey, type VerifyDigest } from './signature.ts';

/** What is signed, by the last part of its media type. */
export type RecordKind =
  | 'chunk-header'
  | 'statement'
  | 'session-record'
  | 'journal-block'
  | 'beacon'
  | 'acceptance'
  | 'last'
  | 'custody-record'
  | 'enrolment'
  | 'statement-request';

/** The longest payload whose length takes two bytes; a reader need not know longer ones. */
const MAX_PAYLOAD_BYTES = 0xffff;
/** More than header and signature of any kind take. */
const MAX_ENVELOPE_BYTES = 512;

/** Read from a record they are views of its bytes. */
export type Signed = {
  readonly payload: Uint8Array;
  /** 64 bytes, r then s. */
  readonly signature: Uint8Array;
};

function mediaType(kind: RecordKind): string {
  return `application/vnd.witnessmark.${kind}`;
}

/** The bytes around a payload that follow from kind and key alone. */
type Template = {
  /** {1: alg, 4: kid, 16: typ}; a record whose header differs in one byte is refused. */
  readonly protectedHeader: Uint8Array;
  /** Sig_structure up to the payload. */
  readonly structure: Uint8Array;
  /** COSE_Sign1 up to the payload. */
  readonly envelope: Uint8Array;
};

/** A session signs a dozen records each second, all by one key. */
const templates = new WeakMap<PublicKey, Map<RecordKind, Template>>();

function templateOf(kind: RecordKind, key: PublicKey): Template {
  const ofKey = templates.get(key) ?? new Map<RecordKind, Template>();
  const known = ofKey.get(kind);
  if (known !== undefined) return known;
  const protectedHeader = concatBytes(
    Uint8Array.of(0xa3, 0x01),
    encodeCbor(COSE_ALGORITHM[key.algorithm]),
    Uint8Array.of(0x04),
    encodeCbor(keyId(key)),
    Uint8Array.of(0x10),
    encodeCbor(mediaType(kind)),
  );
  const template = {
    protectedHeader,
    structure: concatBytes(
      Uint8Array.of(0x84),
      encodeCbor('Signature1'),
      encodeCbor(protectedHeader),
      encodeCbor(asciiBytes(`witnessmark/v1/${mediaType(kind)}`)),
    ),
    envelope: concatBytes(Uint8Array.of(0x84), encodeCbor(protectedHeader), Uint8Array.of(0xa0)),
  };
  ofKey.set(kind, template);
  templates.set(key, ofKey);
  return template;
}

/** What is hashed and signed; also the leaf of a chunk header in its batch. RFC 9052 section 4.4. */
export function sigStructure(kind: RecordKind, key: PublicKey, payload: Uint8Array): Uint8Array {
  return encodeCborBehind(templateOf(kind, key).structure, payload);
}

/** A record's identity: 32 bytes. It is also the digest that the signature covers. */
export function recordId(
  kind: RecordKind,
  key: PublicKey,
  payload: Uint8Array,
  hash: Hash = sha256,
): Uint8Array {
  return hash(sigStructure(kind, key, payload));
}

/** @throws FormatError COSE_TOO_LARGE */
export function encodeSigned(kind: RecordKind, key: PublicKey, signed: Signed): Uint8Array {
  if (signed.payload.length > MAX_PAYLOAD_BYTES) throw tooLarge(signed.payload.length);
  return concatBytes(
    templateOf(kind, key).envelope,
    encodeCbor(signed.payload),
    encodeCbor(signed.signature),
  );
}

/**
 * Splits a COSE_Sign1 whose protected header must equal the template of `kind` and `key`.
 * Checks no signature.
 * @throws FormatError COSE_TOO_LARGE, COSE_MALFORMED, COSE_HEADER
 */
export function decodeSigned(kind: RecordKind, key: PublicKey, bytes: Uint8Array): Signed {
  const { header, signed } = splitSigned(bytes);
  if (!equalBytes(header, templateOf(kind, key).protectedHeader)) {
    throw new FormatError(
      'COSE_HEADER',
      `expected the protected header of a ${kind} by the named key, got another`,
    );
  }
  return signed;
}

/**
 * The payload, before it is known who signed: for reading which key a record claims. A view of `bytes`.
 * @throws FormatError COSE_TOO_LARGE, COSE_MALFORMED
 */
export function unverifiedPayload(bytes: Uint8Array): Uint8Array {
  return splitSigned(bytes).signed.payload;
}

function splitSigned(bytes: Uint8Array): { readonly header: Uint8Array; readonly signed: Signed } {
  if (bytes.length > MAX_PAYLOAD_BYTES + MAX_ENVELOPE_BYTES) throw tooLarge(bytes.length);
  if (bytes[0] !== 0x84) throw malformed('an untagged array of four');
  const header = byteStringAt(bytes, 1);
  if (bytes[header.end] !== 0xa0) throw malformed('an empty unprotected header');
  const payload = byteStringAt(bytes, header.end + 1);
  const signature = byteStringAt(bytes, payload.end);
  if (signature.value.length !== 64) throw malformed('a signature of 64 bytes');
  if (signature.end !== bytes.length) throw malformed('no bytes after the signature');
  return {
    header: header.value,
    signed: { payload: payload.value, signature: signature.value },
  };
}

/** Only the shortest length is accepted. */
function byteStringAt(
  bytes: Uint8Array,
  at: number,
): { readonly value: Uint8Array; readonly end: number } {
  const head = bytes[at] ?? 0;
  let length = head - 0x40;
  let start = at + 1;
  if (head === 0x58) {
    length = bytes[at + 1] ?? 0;
    start = at + 2;
    if (length < 24) throw malformed('shortest lengths');
  } else if (head === 0x59) {
    length = ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    start = at + 3;
    if (length < 256) throw malformed('shortest lengths');
  } else if (head < 0x40 || head > 0x57) {
    throw malformed('a byte string');
  }
  if (start + length > bytes.length) throw malformed('all of its bytes');
  return { value: bytes.subarray(start, start + length), end: start + length };
}

function tooLarge(length: number): FormatError {
  return new FormatError('COSE_TOO_LARGE', `expected a smaller record, got ${length} bytes`);
}

function malformed(expected: string): FormatError {
  return new FormatError('COSE_MALFORMED', `expected ${expected} in a COSE_Sign1`);
}

/**
 * Decodes and checks the signature.
 * @throws FormatError as decodeSigned; VerificationError SIGNATURE_INVALID (also for a high S)
 */
export function verifySigned(
  kind: RecordKind,
  key: PublicKey,
  bytes: Uint8Array,
  verify: VerifyDigest,
): Signed & { readonly id: Uint8Array } {
  const signed = decodeSigned(kind, key, bytes);
  return { ...signed, id: checkSignature(kind, key, signed, verify) };
}

/** @returns the record's id. @throws VerificationError SIGNATURE_INVALID */
export function checkSignature(
  kind: RecordKind,
  key: PublicKey,
  signed: Signed,
  verify: VerifyDigest,
): Uint8Array {
  const id = recordId(kind, key, signed.payload);
  if (!verify(key, id, signed.signature)) {
    throw new VerificationError('SIGNATURE_INVALID', `the signature on a ${kind} is not valid`);
  }
  return id;
}
