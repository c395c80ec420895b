/**
 * Grant request `.wmq`: a grantee asks a unit for what a grant allows, and shows that the grant still stands.
 * Implements spec/grant-request.md.
 */
import { type CborValue, encodeCbor } from './cbor.ts';
import { FormatError, VerificationError } from './errors.ts';
import type { HeaderLink } from './evm/header-link.ts';
import { decodeHeaderLink } from './evm/header-link-record.ts';
import { decodeRecord, type Fields, FORMAT_VERSION } from './fields.ts';
import { decodeGrant, grantHash, type SignedGrant } from './grant.ts';
import { decodeNote, type SignedNote } from './grant-notes.ts';
import { type Hash, sha256 } from './hash.ts';
import {
  type OwnerSignature,
  ownerSignatureFields,
  readOwnerSignature,
  verifyOwnerSignature,
} from './owner-signature.ts';
import { RECORD } from './record-type.ts';
import { decodeRegistryFacts, type RegistryFacts } from './registry-facts.ts';
import { type TypedData, typedDataDigest } from './typed-data.ts';

const MAX_REQUEST_BYTES = 8 << 20;
const MAX_FACTS = 4;
const MAX_PART_BYTES = 1 << 20;

export type GrantRequest = {
  /** Encoded grant, as its owner signed it. */
  readonly grant: Uint8Array;
  /** Unix seconds: the part of the grant's range that is asked for, [fromS, toS). */
  readonly fromS: number;
  readonly toS: number;
  /** Unix seconds, by the grantee's clock: a claim, for the record. */
  readonly requestedAtS: number;
  /** 32 random bytes: a unit answers each request once. */
  readonly nonce: Uint8Array;
  /** Encoded registry facts: who owns the epoch, and that the grant is not revoked. */
  readonly facts: readonly Uint8Array[];
  /** Encoded header link, from a block that the unit knows to that of the facts. */
  readonly link: Uint8Array | undefined;
  /** Encoded freshness note, in place of facts. */
  readonly note: Uint8Array | undefined;
};

export type SignedRequest = { readonly request: GrantRequest; readonly signature: OwnerSignature };

/** A request with everything in it read. */
export type ReadRequest = SignedRequest & {
  readonly grant: SignedGrant;
  readonly facts: readonly RegistryFacts[];
  readonly link: HeaderLink | undefined;
  readonly note: SignedNote | undefined;
};

/** What a wallet shows to the grantee, who signs it. @throws FormatError of the grant */
function requestTypedData(request: GrantRequest, hash: Hash = sha256): TypedData {
  const { grant } = decodeGrant(request.grant);
  return {
    domain: { chainId: grant.chainId, verifyingContract: grant.contract },
    structName: 'GrantRequest',
    fields: [
      ['bytes32', 'grant', grantHash(grant)],
      ['uint64', 'dataFrom', BigInt(request.fromS)],
      ['uint64', 'dataTo', BigInt(request.toS)],
      ['uint64', 'requestedAt', BigInt(request.requestedAtS)],
      ['bytes32', 'nonce', request.nonce],
      ['bytes32', 'state', hash(encodeCbor(stateFields(request)))],
    ],
  };
}

/** EIP-712 digest, 32 bytes. @throws FormatError of the grant */
export function requestDigest(request: GrantRequest, hash: Hash = sha256): Uint8Array {
  return typedDataDigest(requestTypedData(request, hash));
}

function stateFields({ facts, link, note }: GrantRequest): readonly CborValue[] {
  return [facts, link ?? new Uint8Array(0), note ?? new Uint8Array(0)];
}

export function encodeGrantRequest({ request, signature }: SignedRequest): Uint8Array {
  return encodeCbor([
    RECORD.grantRequest,
    FORMAT_VERSION,
    request.grant,
    request.fromS,
    request.toS,
    request.requestedAtS,
    request.nonce,
    ...stateFields(request),
    ownerSignatureFields(signature),
  ]);
}

/**
 * @throws FormatError CBOR_*, RECORD_*, FIELD_*, OWNER_SIGNATURE_FORM, REQUEST_RANGE, REQUEST_STATE, and those of the
 * grant, the facts, the link and the note in it
 */
export function decodeGrantRequest(bytes: Uint8Array): ReadRequest {
  const signed = decodeRecord(bytes, RECORD.grantRequest, readSignedRequest, MAX_REQUEST_BYTES);
  const { request } = signed;
  const grant = decodeGrant(request.grant);
  const { dataFromS, dataToS } = grant.grant;
  if (request.fromS < dataFromS || request.toS > dataToS || request.fromS >= request.toS) {
    throw new FormatError('REQUEST_RANGE', 'expected a part of the range that the grant allows');
  }
  const { facts, link, note } = request;
  if (facts.length > 0 ? note !== undefined : link !== undefined) {
    throw new FormatError('REQUEST_STATE', 'expected facts with or without a link, or a note');
  }
  return {
    ...signed,
    grant,
    facts: facts.map(decodeRegistryFacts),
    link: link && decodeHeaderLink(link),
    note: note && decodeNote('freshness', note),
  };
}

function readSignedRequest(fields: Fields): SignedRequest {
  const request: GrantRequest = {
    grant: fields.bytesUpTo('grant', MAX_PART_BYTES),
    fromS: fields.uint('data from'),
    toS: fields.uint('data to'),
    requestedAtS: fields.uint('requested at'),
    nonce: fields.bytes('nonce', 32),
    facts: fields.blobList('facts', MAX_FACTS, MAX_PART_BYTES),
    link: someBytes(fields.bytesUpTo('link', MAX_PART_BYTES)),
    note: someBytes(fields.bytesUpTo('note', MAX_PART_BYTES)),
  };
  return { request, signature: fields.nested('signature', readOwnerSignature) };
}

function someBytes(bytes: Uint8Array): Uint8Array | undefined {
  return bytes.length === 0 ? undefined : bytes;
}

/**
 * That the grantee whom the grant names asks: whoever else holds the grant's bytes cannot.
 * @throws VerificationError REQUEST_SIGNATURE; a contract's is none, since no file can show what it answers
 */
export function verifyRequestSignature(
  { request, signature, grant }: ReadRequest,
  hash: Hash = sha256,
): void {
  try {
    const digest = requestDigest(request, hash);
    if (verifyOwnerSignature(digest, grant.grant.grantee, signature) === 'verified') return;
  } catch (cause) {
    if (!(cause instanceof VerificationError)) throw cause;
    throw notByGrantee(cause);
  }
  throw notByGrantee();
}

function notByGrantee(cause?: unknown): VerificationError {
  const message = 'the request is not signed by the key of the grantee whom the grant names';
  return new VerificationError('REQUEST_SIGNATURE', message, { cause });
}
