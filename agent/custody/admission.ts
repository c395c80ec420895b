/**
 * Whether a file of the inbox is a custody record that may be sealed.
 * Implements spec/custody.md, "Inbox", steps 1 to 4.
 */
import {
  type CustodyRecord,
  custodyDigest,
  decodeCustodyRecord,
  verifyCustodySignature,
} from '../../core/custody-record.ts';
import { FormatError, VerificationError } from '../../core/errors.ts';
import type { Hash } from '../../core/hash.ts';

export type Admitted = {
  readonly record: CustodyRecord;
  /** What it is known by: of two files with the same, one is sealed. */
  readonly identity: Uint8Array;
};

/** Where the record would be sealed. */
type ChunkPlace = { readonly log: number; readonly seq: number };

/**
 * @throws FormatError CBOR_*, RECORD_*, FIELD_*, OWNER_SIGNATURE_FORM, CUSTODY_PREVIOUS;
 *   VerificationError OWNER_SIGNATURE_INVALID, CUSTODY_SPAN
 */
export function admitCustody(bytes: Uint8Array, place: ChunkPlace, hash: Hash): Admitted {
  const record = decodeCustodyRecord(bytes);
  if (record.seq !== 0) {
    throw new FormatError('CUSTODY_PREVIOUS', 'a record that waits has no place in a chain yet');
  }
  verifyCustodySignature(record);
  for (const { log, firstSeq, count } of record.spans) {
    const isBefore = log < place.log || (log === place.log && firstSeq + count <= place.seq);
    if (!isBefore || count === 0) {
      throw new VerificationError(
        'CUSTODY_SPAN',
        `it names chunk ${log}/${firstSeq} and ${count} in all, which this unit has not sealed`,
      );
    }
  }
  // Seq and previous hash say nothing yet, so an unsigned record is what its bytes are. A signed one is what was
  // signed: the same contents under another form of the signature are the same record.
  const identity = record.signature === undefined ? hash(bytes) : custodyDigest(record);
  return { record, identity };
}
