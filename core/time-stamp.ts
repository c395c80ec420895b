/**
 * Time stamp: one RFC 3161 token over a window record, and the records that chain up to it.
 * Implements spec/time-stamp.md. Shared by all windows that it covers; the token itself is checked elsewhere.
 */
import { encodeCbor } from './cbor.ts';
import { FormatError } from './errors.ts';
import { decodeRecord, FORMAT_VERSION } from './fields.ts';
import { type Hash, sha256 } from './hash.ts';
import { HASH_BYTES } from './merkle.ts';
import { RECORD } from './record-type.ts';
import {
  decodeWindowRecord,
  encodeWindowRecord,
  MAX_WINDOW_RECORD_BYTES,
  MAX_WINDOW_STATEMENTS,
  windowRecordHash,
} from './window.ts';

const MAX_ROWS = 8192;
const MAX_DER_BYTES = 64 * 1024;
const MAX_REVOCATION_BYTES = 256 * 1024;
const MAX_TIME_STAMP_BYTES = 2 << 20;

export type TimeStamp = {
  /** The first covered window record, encoded. */
  readonly firstRecord: Uint8Array;
  /** What differs in each later record of the same publisher, up to the stamped one. */
  readonly linkingRows: readonly { readonly treeSize: number; readonly root: Uint8Array }[];
  /** DER TimeStampToken; its imprint is the hash of the last record. */
  readonly token: Uint8Array;
  /** DER certificates that the token does not carry. */
  readonly certificates: readonly Uint8Array[];
  /** DER OCSP responses and CRLs from the time of stamping. */
  readonly revocation: readonly Uint8Array[];
};

export function encodeTimeStamp(stamp: TimeStamp): Uint8Array {
  return encodeCbor([
    RECORD.timeStamp,
    FORMAT_VERSION,
    stamp.firstRecord,
    stamp.linkingRows.map((row) => [row.treeSize, row.root]),
    stamp.token,
    stamp.certificates,
    stamp.revocation,
  ]);
}

/** @throws FormatError CBOR_*, RECORD_*, FIELD_* */
export function decodeTimeStamp(bytes: Uint8Array): TimeStamp {
  return decodeRecord(
    bytes,
    RECORD.timeStamp,
    (fields) => ({
      firstRecord: fields.bytesUpTo('first window record', MAX_WINDOW_RECORD_BYTES),
      linkingRows: fields.list('linking rows', MAX_ROWS, (row) => ({
        treeSize: row.uint('tree size', MAX_WINDOW_STATEMENTS),
        root: row.bytes('root', HASH_BYTES),
      })),
      token: fields.bytesUpTo('token', MAX_DER_BYTES),
      certificates: fields.blobList('certificates', 16, MAX_DER_BYTES),
      revocation: fields.blobList('revocation data', 16, MAX_REVOCATION_BYTES),
    }),
    MAX_TIME_STAMP_BYTES,
  );
}

/**
 * Hashes of all records that the stamp covers, oldest first; the last one is the token's imprint.
 * @throws FormatError CBOR_*, RECORD_*, FIELD_*, WINDOW_EMPTY, UINT64_RANGE
 */
export function coveredRecordHashes(
  stamp: Pick<TimeStamp, 'firstRecord' | 'linkingRows'>,
  hash: Hash = sha256,
): readonly Uint8Array[] {
  const first = decodeWindowRecord(stamp.firstRecord);
  let previousHash = windowRecordHash(stamp.firstRecord, hash);
  const hashes = [previousHash];
  stamp.linkingRows.forEach((row, i) => {
    if (row.treeSize === 0) {
      throw new FormatError('WINDOW_EMPTY', 'expected linking rows of windows with statements');
    }
    const windowSeq = first.windowSeq + BigInt(i + 1);
    const { treeSize, root } = row;
    const record = encodeWindowRecord({ ...first, treeSize, root, windowSeq, previousHash });
    previousHash = windowRecordHash(record, hash);
    hashes.push(previousHash);
  });
  return hashes;
}
