/**
 * Time stamp: one RFC 3161 token over a window record, and the records that chain up to it.
 * Implements spec/time-stamp.md. Shared by all windows that it covers; the token itself is checked elsewhere.
 */
import { equalBytes } from './bytes.ts';
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
 * The same stamp from a later window on: what a bundle carries of it is not longer than it must be.
 * @param from hash of a record that it covers
 * @throws FormatError as `coveredRecordHashes`
 */
export function stampFrom(stamp: TimeStamp, from: Uint8Array, hash: Hash = sha256): TimeStamp {
  const windows = coveredWindows(stamp, hash);
  const at = windows.findIndex((window) => equalBytes(window.hash, from));
  if (at <= 0) return stamp;
  return {
    ...stamp,
    firstRecord: windows[at]?.record ?? stamp.firstRecord,
    linkingRows: stamp.linkingRows.slice(at),
  };
}

/**
 * Hashes of all records that the stamp covers, oldest first; the last one is the token's imprint.
 * @throws FormatError CBOR_*, RECORD_*, FIELD_*, WINDOW_EMPTY, UINT64_RANGE
 */
export function coveredRecordHashes(
  stamp: Pick<TimeStamp, 'firstRecord' | 'linkingRows'>,
  hash: Hash = sha256,
): readonly Uint8Array[] {
  return coveredWindows(stamp, hash).map((window) => window.hash);
}

function coveredWindows(
  { firstRecord, linkingRows }: Pick<TimeStamp, 'firstRecord' | 'linkingRows'>,
  hash: Hash,
): readonly { readonly record: Uint8Array; readonly hash: Uint8Array }[] {
  const first = decodeWindowRecord(firstRecord);
  let previousHash = windowRecordHash(firstRecord, hash);
  const windows = [{ record: firstRecord, hash: previousHash }];
  linkingRows.forEach(({ treeSize, root }, i) => {
    if (treeSize === 0) {
      throw new FormatError('WINDOW_EMPTY', 'expected linking rows of windows with statements');
    }
    const windowSeq = first.windowSeq + BigInt(i + 1);
    const record = encodeWindowRecord({ ...first, treeSize, root, windowSeq, previousHash });
    previousHash = windowRecordHash(record, hash);
    windows.push({ record, hash: previousHash });
  });
  return windows;
}
