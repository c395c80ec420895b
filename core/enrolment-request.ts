/**
 * Enrolment request: what a unit says of itself to the owner who is to enrol it.
 * Implements spec/enrolment.md, "Request".
 */
import { asciiBytes, concatBytes } from './bytes.ts';
import { encodeCbor } from './cbor.ts';
import { type Enrolment, KEY_PROTECTIONS } from './enrolment.ts';
import { decodeRecord, FORMAT_VERSION } from './fields.ts';
import { sha256 } from './hash.ts';
import { RECORD } from './record-type.ts';
import { readPublicKey, readWord } from './session-record.ts';
import { COSE_ALGORITHM } from './signature.ts';
import { TAG_BYTES } from './vehicle-log.ts';

const MAX_REQUEST_BYTES = 1024;
const PAIRING_PREFIX = asciiBytes('wmk-pairing');
/** Crockford's: no I, L, O or U, which are misread. */
const BASE32 = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const PAIRING_CHARACTERS = 12;

/** The fields of an enrolment that the unit knows and the owner does not. */
export type EnrolmentRequest = Pick<
  Enrolment,
  'tag' | 'epoch' | 'deviceKey' | 'unitSerial' | 'softwareHash' | 'keyProtection'
>;

export function encodeEnrolmentRequest(request: EnrolmentRequest): Uint8Array {
  const { deviceKey } = request;
  return encodeCbor([
    RECORD.enrolmentRequest,
    FORMAT_VERSION,
    request.tag,
    request.epoch,
    [COSE_ALGORITHM[deviceKey.algorithm], deviceKey.bytes],
    request.unitSerial,
    request.softwareHash,
    request.keyProtection,
  ]);
}

/** @throws FormatError CBOR_*, RECORD_*, FIELD_*, KEY_MALFORMED */
export function decodeEnrolmentRequest(bytes: Uint8Array): EnrolmentRequest {
  return decodeRecord(
    bytes,
    RECORD.enrolmentRequest,
    (fields) => ({
      tag: fields.bytes('tag', TAG_BYTES),
      epoch: fields.uint('epoch'),
      deviceKey: fields.nested('device key', readPublicKey),
      unitSerial: fields.text('unit serial', 64),
      softwareHash: fields.bytes('software hash', 32),
      keyProtection: readWord(fields, 'key protection', KEY_PROTECTIONS),
    }),
    MAX_REQUEST_BYTES,
  );
}

/**
 * What the unit shows and the owner types: 60 bits, so that a request that somebody put in the place of the unit's
 * is noticed. Three groups of four characters.
 */
export function pairingCode(request: Uint8Array): string {
  const digest = sha256(concatBytes(PAIRING_PREFIX, request));
  const bits = digest.subarray(0, 8).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n) >> 4n;
  const characters = Array.from(
    { length: PAIRING_CHARACTERS },
    (_, i) => BASE32[Number((bits >> BigInt(5 * (PAIRING_CHARACTERS - 1 - i))) & 31n)],
  ).join('');
  return (characters.match(/.{4}/g) ?? []).join('-');
}

/** As people type it: in any case, with or without the dashes, and with what looks alike. */
export function normalPairingCode(text: string): string {
  const plain = text.toUpperCase().replace(/[\s-]/g, '').replace(/O/g, '0').replace(/[IL]/g, '1');
  return (plain.match(/.{1,4}/g) ?? []).join('-');
}
