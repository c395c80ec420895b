/**
 * The service's word about the last statement that it has of a device key, for one question.
 * Implements spec/uplink.md, "A disk that was set back".
 */
import { encodeCbor } from './cbor.ts';
import { decodeRecord, FORMAT_VERSION } from './fields.ts';
import { RECORD } from './record-type.ts';
import { ID_BYTES, TAG_BYTES } from './vehicle-log.ts';

export const NONCE_BYTES = 16;

export type LastRecord = {
  readonly tag: Uint8Array;
  readonly deviceKeyId: Uint8Array;
  readonly epoch: number;
  /** Of the question: nobody can keep this answer for another one. */
  readonly nonce: Uint8Array;
  /** None when the service has no statement. */
  readonly statementId: Uint8Array | undefined;
};

/** The payload that the service key signs. */
export function encodeLastRecord(record: LastRecord): Uint8Array {
  return encodeCbor([
    RECORD.last,
    FORMAT_VERSION,
    record.tag,
    record.deviceKeyId,
    record.epoch,
    record.nonce,
    record.statementId ?? new Uint8Array(0),
  ]);
}

/** @throws FormatError CBOR_*, RECORD_*, FIELD_* */
export function decodeLastRecord(payload: Uint8Array): LastRecord {
  return decodeRecord(
    payload,
    RECORD.last,
    (fields) => ({
      tag: fields.bytes('tag', TAG_BYTES),
      deviceKeyId: fields.bytes('device key id', ID_BYTES),
      epoch: fields.uint('epoch'),
      nonce: fields.bytes('nonce', NONCE_BYTES),
      statementId: fields.bytesOrNone('statement id', ID_BYTES),
    }),
    256,
  );
}
