/**
 * A unit takes a custody record that somebody signed elsewhere: what its owner did, or that a grantee has got a package.
 * Implements spec/custody.md, "Signed elsewhere".
 */
import { equalBytes } from '../core/bytes.ts';
import {
  type CustodyContent,
  type CustodyRecord,
  custodyDigest,
  decodeCustodyRecord,
  verifyCustodySignature,
} from '../core/custody-record.ts';
import { FormatError, VerificationError } from '../core/errors.ts';
import { readEnrolment } from './enrol/kept-enrolment.ts';
import { givenPackage } from './grants/grant-store.ts';

export type SignedRecordParts = {
  readonly dataDir: string;
  /** Durable when it returns; the same record twice is left once, since its digest names it. */
  leaveSigned(content: CustodyContent, digest: Uint8Array): void;
};

/**
 * @throws FormatError CBOR_*, RECORD_*, FIELD_*, OWNER_SIGNATURE_FORM, CUSTODY_PREVIOUS
 * @throws VerificationError CUSTODY_UNSIGNED, OWNER_SIGNATURE_INVALID, GRANT_CONTRACT_WALLET, GRANT_UNENROLLED, CUSTODY_SIGNER,
 *   CUSTODY_UNKNOWN; OperationalError STORAGE_*
 */
export function takeSignedRecord(
  bytes: Uint8Array,
  { dataDir, leaveSigned }: SignedRecordParts,
): CustodyRecord {
  const record = decodeCustodyRecord(bytes);
  if (record.seq !== 0) {
    throw new FormatError('CUSTODY_PREVIOUS', 'a record that waits has no place in a chain yet');
  }
  const verdict = verifyCustodySignature(record);
  if (verdict === undefined) throw refusal('CUSTODY_UNSIGNED', 'the record is not signed');
  if (verdict === 'contract_wallet') {
    throw refusal('GRANT_CONTRACT_WALLET', 'a contract’s signature cannot be checked on a unit');
  }
  const signer = record.signature?.signer ?? new Uint8Array(0);
  if (!equalBytes(signer, signerFor(record, dataDir))) {
    throw refusal('CUSTODY_SIGNER', 'the record is signed by another than it is of');
  }
  const { seq: _, previousHash: __, ...content } = record;
  leaveSigned(content, custodyDigest(record));
  return record;
}

/** Whose word it must be: nobody else’s may fill the unit’s log. */
function signerFor(record: CustodyRecord, dataDir: string): Uint8Array {
  const { role, action, objectHash, grantHash } = record;
  if (role === 'owner') {
    const enrolment = readEnrolment(dataDir);
    if (enrolment !== undefined) return enrolment.enrolment.owner;
    throw refusal('GRANT_UNENROLLED', 'no owner has enrolled this unit');
  }
  const given =
    role === 'grantee' && action === 'received' && objectHash !== undefined
      ? givenPackage(dataDir, objectHash)
      : undefined;
  if (given !== undefined && equalBytes(given.grantHash, grantHash ?? new Uint8Array(0))) {
    return given.grantee;
  }
  throw refusal('CUSTODY_UNKNOWN', 'this unit has given out no such package under that grant');
}

function refusal(code: string, message: string): VerificationError {
  return new VerificationError(code, message);
}
