/**
 * Grant: an owner's signed permission to be shown some streams over some time.
 * Implements spec/grant.md.
 */
import { encodeCbor } from './cbor.ts';
import { FormatError } from './errors.ts';
import { decodeRecord, type Fields, FORMAT_VERSION } from './fields.ts';
import {
  type OwnerSignature,
  type OwnerVerdict,
  ownerSignatureFields,
  readOwnerSignature,
  verifyOwnerSignature,
} from './owner-signature.ts';
import { RECORD } from './record-type.ts';
import { readWord } from './session-record.ts';
import { MAX_STREAM_ID_LENGTH, RECORDS } from './stream.ts';
import { assertAscendingNames, readStreamId } from './streams-record.ts';
import { type TypedData, type TypedField, typedDataDigest } from './typed-data.ts';
import { TAG_BYTES } from './vehicle-log.ts';
import { ADDRESS_BYTES } from './window.ts';

export const GRANT_FORMS = ['raw', 'decoded'] as const;
const MAX_STREAMS = 1024;
const MAX_UINT32 = 0xffff_ffff;
const MAX_GRANT_BYTES = 512 * 1024;

export type Grant = {
  /** Of the chain that revocations are on. */
  readonly chainId: bigint;
  /** GrantRegistry, 20 bytes. */
  readonly contract: Uint8Array;
  readonly owner: Uint8Array;
  readonly tag: Uint8Array;
  readonly epoch: number;
  /** The address that signs requests and receipts, 20 bytes. */
  readonly grantee: Uint8Array;
  /** X25519, 32 bytes: what is released is sealed to it. */
  readonly granteeKey: Uint8Array;
  readonly granteeName: string;
  /** Ascending, each once. */
  readonly streams: readonly string[];
  /** Unix seconds: chunks whose wall start lies in [dataFromS, dataToS). */
  readonly dataFromS: number;
  readonly dataToS: number;
  readonly purpose: string;
  readonly form: (typeof GRANT_FORMS)[number];
  readonly issuedAtS: number;
  /** No disclosure at or after it. */
  readonly expiresAtS: number;
  /** How many disclosures the owner meant; 0 for no number. Recorded, not enforceable. */
  readonly disclosures: number;
  /** SHA-256 of the notice that the owner was shown. */
  readonly noticeHash: Uint8Array;
  readonly nonce: Uint8Array;
};

export type SignedGrant = { readonly grant: Grant; readonly signature: OwnerSignature };

/** What a wallet shows to the owner, who signs it. */
export function grantTypedData(grant: Grant): TypedData {
  const { chainId, contract } = grant;
  const fields: readonly TypedField[] = [
    ['address', 'owner', grant.owner],
    ['bytes16', 'vehicle', grant.tag],
    ['uint64', 'epoch', BigInt(grant.epoch)],
    ['address', 'grantee', grant.grantee],
    ['bytes32', 'granteeKey', grant.granteeKey],
    ['string', 'granteeName', grant.granteeName],
    ['string[]', 'streams', grant.streams],
    ['uint64', 'dataFrom', BigInt(grant.dataFromS)],
    ['uint64', 'dataTo', BigInt(grant.dataToS)],
    ['string', 'purpose', grant.purpose],
    ['string', 'form', grant.form],
    ['uint64', 'issuedAt', BigInt(grant.issuedAtS)],
    ['uint64', 'expiresAt', BigInt(grant.expiresAtS)],
    ['uint32', 'disclosures', BigInt(grant.disclosures)],
    ['bytes32', 'noticeHash', grant.noticeHash],
    ['bytes32', 'nonce', grant.nonce],
  ];
  return { domain: { chainId, verifyingContract: contract }, structName: 'Grant', fields };
}

/** EIP-712 digest, 32 bytes: what the owner signs, and the name of the grant everywhere. */
export function grantHash(grant: Grant): Uint8Array {
  return typedDataDigest(grantTypedData(grant));
}

export function encodeGrant({ grant, signature }: SignedGrant): Uint8Array {
  return encodeCbor([
    RECORD.grant,
    FORMAT_VERSION,
    grant.chainId,
    grant.contract,
    grant.owner,
    grant.tag,
    grant.epoch,
    grant.grantee,
    grant.granteeKey,
    grant.granteeName,
    grant.streams.map((stream) => [stream]),
    grant.dataFromS,
    grant.dataToS,
    grant.purpose,
    grant.form,
    grant.issuedAtS,
    grant.expiresAtS,
    grant.disclosures,
    grant.noticeHash,
    grant.nonce,
    ownerSignatureFields(signature),
  ]);
}

/** @throws FormatError CBOR_*, RECORD_*, FIELD_*, STREAM_ID, STREAMS_ORDER, OWNER_SIGNATURE_FORM, GRANT_STREAM, GRANT_TIMES */
export function decodeGrant(bytes: Uint8Array): SignedGrant {
  const signed = decodeRecord(bytes, RECORD.grant, readSignedGrant, MAX_GRANT_BYTES);
  const { grant } = signed;
  assertAscendingNames(grant.streams);
  if (grant.streams.includes(RECORDS.journal)) {
    throw new FormatError('GRANT_STREAM', 'expected streams that can be granted, got the journal');
  }
  if (grant.dataFromS >= grant.dataToS || grant.issuedAtS >= grant.expiresAtS) {
    throw new FormatError('GRANT_TIMES', 'expected a range of data and a term above zero');
  }
  return signed;
}

function readSignedGrant(fields: Fields): SignedGrant {
  const grant: Grant = {
    chainId: fields.uint64('chain id'),
    contract: fields.bytes('contract', ADDRESS_BYTES),
    owner: fields.bytes('owner', ADDRESS_BYTES),
    tag: fields.bytes('tag', TAG_BYTES),
    epoch: fields.uint('epoch'),
    grantee: fields.bytes('grantee', ADDRESS_BYTES),
    granteeKey: fields.bytes('grantee key', 32),
    granteeName: fields.text('grantee name', 120),
    streams: fields.list('streams', MAX_STREAMS, (one) =>
      readStreamId(one.text('name', MAX_STREAM_ID_LENGTH)),
    ),
    dataFromS: fields.uint('data from'),
    dataToS: fields.uint('data to'),
    purpose: fields.text('purpose', 500),
    form: readWord(fields, 'form', GRANT_FORMS),
    issuedAtS: fields.uint('issued at'),
    expiresAtS: fields.uint('expires at'),
    disclosures: fields.uint('disclosures', MAX_UINT32),
    noticeHash: fields.bytes('notice hash', 32),
    nonce: fields.bytes('nonce', 32),
  };
  return { grant, signature: fields.nested('signature', readOwnerSignature) };
}

/** @throws VerificationError OWNER_SIGNATURE_INVALID */
export function verifyGrant({ grant, signature }: SignedGrant): OwnerVerdict {
  return verifyOwnerSignature(grantHash(grant), grant.owner, signature);
}
