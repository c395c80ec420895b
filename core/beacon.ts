/**
 * Beacon: the newest block at least 3 deep, signed by the service; it bounds sealing from below.
 * Implements spec/beacon.md.
 */
import { encodeCbor } from './cbor.ts';
import { decodeRecord, FORMAT_VERSION } from './fields.ts';
import { RECORD } from './record-type.ts';
import { type BeaconBlock, beaconFields, readBeacon } from './vehicle-log.ts';

export type Beacon = { readonly block: BeaconBlock; readonly publishedAtMs: number };

/** The payload that the service key signs. */
export function encodeBeacon(beacon: Beacon): Uint8Array {
  return encodeCbor([
    RECORD.beacon,
    FORMAT_VERSION,
    beaconFields(beacon.block),
    beacon.publishedAtMs,
  ]);
}

/** @throws FormatError CBOR_*, RECORD_*, FIELD_* */
export function decodeBeacon(payload: Uint8Array): Beacon {
  return decodeRecord(
    payload,
    RECORD.beacon,
    (fields) => ({
      block: fields.nested('block', readBeacon),
      publishedAtMs: fields.uint('published at'),
    }),
    256,
  );
}
