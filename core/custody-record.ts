/**
 * Custody record: who did what with the evidence, chained within its stream.
 * Implements spec/custody.md.
 */
import { equalBytes, fromHex, toHex } from './bytes.ts';
import { type CborValue, encodeCbor } from './cbor.ts';
import { CLOCK_SOURCES } from './chunk-header.ts';
import { FormatError, VerificationError } from './errors.ts';
import { decodeRecord, type Fields, FORMAT_VERSION } from './fields.ts';
import { sha256 } from './hash.ts';
import {
  type OwnerSignature,
  type OwnerVerdict,
  ownerSignatureFields,
  readOwnerSignature,
  verifyOwnerSignature,
} from './owner-signature.ts';
import { RECORD } from './record-type.ts';
import { readWord } from './session-record.ts';
import type { Span } from './statement.ts';
import { RECORDS } from './stream.ts';
import { type TypedField, typedDataDigest } from './typed-data.ts';
import { MAX_SEQ } from './vehicle-log.ts';
import { ADDRESS_BYTES } from './window.ts';

export const CUSTODY_ACTIONS = [
  'granted',
  'revoked',
  'disclosed',
  'refused',
  'received',
  'exported',
  'transferred',
  'erased',
] as const;
export const CUSTODY_ROLES = ['agent', 'owner', 'grantee', 'operator', 'authority'] as const;
export const MAX_CUSTODY_BYTES = 16 * 1024;

/** The stream of one grant; the owner's is `RECORDS.custody`. */
export function custodyStreamOf(grantHash: Uint8Array): string {
  return `${RECORDS.custody}/${toHex(grantHash)}`;
}

const GRANT_STREAM = /^records\/custody\/([0-9a-f]{64})$/;

/** Whose custody stream it is: the owner's, or that of the grant with this hash; undefined when it is none. */
export function custodyStreamOwner(stream: string): 'owner' | Uint8Array | undefined {
  if (stream === RECORDS.custody) return 'owner';
  const hash = GRANT_STREAM.exec(stream)?.[1];
  return hash === undefined ? undefined : fromHex(hash);
}

export function isCustodyStream(stream: string): boolean {
  return custodyStreamOwner(stream) !== undefined;
}

/** By the actor's key; EIP-712, so that an owner or a grantee signs with the wallet they have. */
export type CustodySignature = { readonly signer: Uint8Array; readonly signature: OwnerSignature };

export type CustodyRecord = {
  /** Of the record in its stream, from 0. */
  readonly seq: number;
  /** SHA-256 of the encoded record before, its signature included. */
  readonly previousHash: Uint8Array | undefined;
  readonly wallNs: bigint;
  readonly clockSource: (typeof CLOCK_SOURCES)[number];
  /** A DID or a name. */
  readonly actor: string;
  readonly role: (typeof CUSTODY_ROLES)[number];
  readonly action: (typeof CUSTODY_ACTIONS)[number];
  /** Under which grant. */
  readonly grantHash: Uint8Array | undefined;
  /** SHA-256 of the package, the bundle or the notice that the action was about. */
  readonly objectHash: Uint8Array | undefined;
  /** Which chunks. */
  readonly spans: readonly Span[];
  readonly streamCount: number;
  readonly leafCount: number;
  readonly purpose: string;
  /** A code and a reason where something was refused; media and places where something was moved. */
  readonly detail: string;
  readonly tool: string;
  readonly toolHash: Uint8Array | undefined;
  readonly signature: CustodySignature | undefined;
};

/** What an actor says; its place in the chains the unit gives when it seals the record. */
export type CustodyContent = Omit<CustodyRecord, 'seq' | 'previousHash'>;

export function encodeCustodyRecord(record: CustodyRecord): Uint8Array {
  const { signature } = record;
  return encodeCbor([
    RECORD.custodyRecord,
    FORMAT_VERSION,
    record.seq,
    record.previousHash ?? new Uint8Array(0),
    ...contentFields(record),
    signature === undefined ? [] : [signature.signer, ownerSignatureFields(signature.signature)],
  ]);
}

/** What the actor says. Seq and previous hash are not among it: the unit gives them when it seals the record. */
function contentFields(record: CustodyRecord): readonly CborValue[] {
  return [
    record.wallNs,
    record.clockSource,
    record.actor,
    record.role,
    record.action,
    record.grantHash ?? new Uint8Array(0),
    record.objectHash ?? new Uint8Array(0),
    record.spans.map((span) => [span.log, span.firstSeq, span.count]),
    record.streamCount,
    record.leafCount,
    record.purpose,
    record.detail,
    record.tool,
    record.toolHash ?? new Uint8Array(0),
  ];
}

/** @throws FormatError CBOR_*, RECORD_*, FIELD_*, OWNER_SIGNATURE_FORM, CUSTODY_PREVIOUS */
export function decodeCustodyRecord(bytes: Uint8Array): CustodyRecord {
  const record = decodeRecord(bytes, RECORD.custodyRecord, readCustody, MAX_CUSTODY_BYTES);
  if ((record.seq === 0) !== (record.previousHash === undefined)) {
    throw new FormatError('CUSTODY_PREVIOUS', 'expected a previous record exactly above seq 0');
  }
  return record;
}

function readCustody(fields: Fields): CustodyRecord {
  return {
    seq: fields.uint('seq'),
    previousHash: fields.bytesOrNone('previous hash', 32),
    wallNs: fields.int64('wall ns'),
    clockSource: readWord(fields, 'clock source', CLOCK_SOURCES),
    actor: fields.text('actor', 120),
    role: readWord(fields, 'role', CUSTODY_ROLES),
    action: readWord(fields, 'action', CUSTODY_ACTIONS),
    grantHash: fields.bytesOrNone('grant hash', 32),
    objectHash: fields.bytesOrNone('object hash', 32),
    spans: fields.list('spans', 64, (span) => ({
      log: span.uint('log'),
      firstSeq: span.uint('first chunk seq', MAX_SEQ),
      count: span.uint('count', MAX_SEQ),
    })),
    streamCount: fields.uint('stream count'),
    leafCount: fields.uint('leaf count'),
    purpose: fields.text('purpose', 500),
    detail: fields.text('detail', 500),
    tool: fields.text('tool', 80),
    toolHash: fields.bytesOrNone('tool hash', 32),
    signature: fields.optional('signature', (part) => ({
      signer: part.bytes('signer', ADDRESS_BYTES),
      signature: part.nested('owner signature', readOwnerSignature),
    })),
  };
}

/** EIP-712 digest that the actor signs: it covers the content, not the place in the stream. */
export function custodyDigest(record: CustodyRecord): Uint8Array {
  const content = encodeCbor([RECORD.custodyRecord, FORMAT_VERSION, ...contentFields(record)]);
  const fields: readonly TypedField[] = [
    ['string', 'action', record.action],
    ['string', 'purpose', record.purpose],
    ['bytes32', 'content', sha256(content)],
  ];
  return typedDataDigest({ domain: undefined, structName: 'Custody', fields });
}

/** @returns undefined when the record carries no signature. @throws VerificationError OWNER_SIGNATURE_INVALID */
export function verifyCustodySignature(record: CustodyRecord): OwnerVerdict | undefined {
  const { signature } = record;
  if (signature === undefined) return undefined;
  return verifyOwnerSignature(custodyDigest(record), signature.signer, signature.signature);
}

/**
 * Records of one stream that follow each other.
 * @param mayMiss positions of records before which some are not shown: their seq is above that of the record before, and
 *   no hash leads back to it
 * @throws FormatError as decodeCustodyRecord; VerificationError CUSTODY_CHAIN, CUSTODY_REPEATED
 */
export function verifyCustodyChain(
  encoded: readonly Uint8Array[],
  mayMiss: ReadonlySet<number> = new Set(),
): readonly CustodyRecord[] {
  let previousHash: Uint8Array | undefined;
  let previousSeq: number | undefined;
  const signedDigests = new Set<string>();
  return encoded.map((bytes, i) => {
    const record = decodeCustodyRecord(bytes);
    const above = previousSeq === undefined ? 1 : record.seq - previousSeq;
    const isNext =
      previousHash === undefined ||
      (above === 1 && equalBytes(record.previousHash ?? new Uint8Array(0), previousHash));
    if (!isNext && !(above > 1 && mayMiss.has(i))) {
      throw new VerificationError('CUSTODY_CHAIN', 'a custody record is missing or was changed');
    }
    if (record.signature !== undefined) {
      const digest = toHex(custodyDigest(record));
      if (signedDigests.has(digest)) {
        throw new VerificationError('CUSTODY_REPEATED', 'a signed custody record stands twice');
      }
      signedDigests.add(digest);
    }
    previousHash = sha256(bytes);
    previousSeq = record.seq;
    return record;
  });
}
