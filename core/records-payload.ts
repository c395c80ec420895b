/**
 * Payload of a records leaf: the encoded records, one after the other.
 * Implements spec/records.md, "Payload".
 */
import { decodeCbor, encodeCbor } from './cbor.ts';
import { FormatError } from './errors.ts';
import { MAX_LEAF_COUNT, MAX_PAYLOAD_BYTES } from './leaf.ts';

/** A CBOR array of byte strings; of no records, no bytes at all. */
export function encodeRecordsPayload(records: readonly Uint8Array[]): Uint8Array {
  return records.length === 0 ? new Uint8Array(0) : encodeCbor(records);
}

/**
 * @param count of the leaf
 * @throws FormatError CBOR_*, RECORDS_PAYLOAD, RECORDS_COUNT
 */
export function decodeRecordsPayload(payload: Uint8Array, count: number): readonly Uint8Array[] {
  const records = payload.length === 0 ? [] : arrayOf(payload);
  if (records.length !== count || count > MAX_LEAF_COUNT) {
    throw new FormatError('RECORDS_COUNT', `expected ${count} records, got ${records.length}`);
  }
  return records;
}

function arrayOf(payload: Uint8Array): readonly Uint8Array[] {
  const value = decodeCbor(payload, MAX_PAYLOAD_BYTES);
  if (!Array.isArray(value) || value.length === 0) throw malformed();
  return value.map((record) => {
    if (!(record instanceof Uint8Array) || record.length === 0) throw malformed();
    return record;
  });
}

function malformed(): FormatError {
  return new FormatError(
    'RECORDS_PAYLOAD',
    'expected an array of byte strings, none of them empty, at least one',
  );
}
