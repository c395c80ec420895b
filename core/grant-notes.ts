/**
 * What an owner says of a grant without a chain: that it is not revoked at a time, or that it is revoked.
 * Implements spec/grant-notes.md. Two records of the same fields, so that neither can be taken for the other.
 */
import { encodeCbor } from './cbor.ts';
import { decodeRecord, type Fields, FORMAT_VERSION } from './fields.ts';
import type { Grant } from './grant.ts';
import {
  type OwnerSignature,
  type OwnerVerdict,
  ownerSignatureFields,
  readOwnerSignature,
  verifyOwnerSignature,
} from './owner-signature.ts';
import { RECORD } from './record-type.ts';
import { type TypedData, typedDataDigest } from './typed-data.ts';
import { ADDRESS_BYTES } from './window.ts';

const MAX_NOTE_BYTES = 8 * 1024;

/** `freshness`: not revoked at `atS`. `revocation`: revoked, from the moment on in which it arrives. */
export type NoteKind = 'freshness' | 'revocation';

export type GrantNote = Pick<Grant, 'chainId' | 'contract' | 'owner'> & {
  readonly grantHash: Uint8Array;
  /** Unix seconds, by the owner's clock. */
  readonly atS: number;
};

export type SignedNote = { readonly note: GrantNote; readonly signature: OwnerSignature };

const TYPES = { freshness: RECORD.freshnessNote, revocation: RECORD.revocationNote } as const;
const STRUCTS = { freshness: 'GrantNotRevoked', revocation: 'GrantRevoked' } as const;

/** What a wallet shows to the owner, who signs it. */
function noteTypedData(kind: NoteKind, note: GrantNote): TypedData {
  return {
    domain: { chainId: note.chainId, verifyingContract: note.contract },
    structName: STRUCTS[kind],
    fields: [
      ['address', 'owner', note.owner],
      ['bytes32', 'grant', note.grantHash],
      ['uint64', 'at', BigInt(note.atS)],
    ],
  };
}

/** EIP-712 digest, 32 bytes. */
export function noteDigest(kind: NoteKind, note: GrantNote): Uint8Array {
  return typedDataDigest(noteTypedData(kind, note));
}

export function encodeNote(kind: NoteKind, { note, signature }: SignedNote): Uint8Array {
  return encodeCbor([
    TYPES[kind],
    FORMAT_VERSION,
    note.chainId,
    note.contract,
    note.owner,
    note.grantHash,
    note.atS,
    ownerSignatureFields(signature),
  ]);
}

/** @throws FormatError CBOR_*, RECORD_*, FIELD_*, OWNER_SIGNATURE_FORM */
export function decodeNote(kind: NoteKind, bytes: Uint8Array): SignedNote {
  return decodeRecord(bytes, TYPES[kind], readSignedNote, MAX_NOTE_BYTES);
}

function readSignedNote(fields: Fields): SignedNote {
  const note: GrantNote = {
    chainId: fields.uint64('chain id'),
    contract: fields.bytes('contract', ADDRESS_BYTES),
    owner: fields.bytes('owner', ADDRESS_BYTES),
    grantHash: fields.bytes('grant hash', 32),
    atS: fields.uint('at'),
  };
  return { note, signature: fields.nested('signature', readOwnerSignature) };
}

/** @throws VerificationError OWNER_SIGNATURE_INVALID */
export function verifyNote(kind: NoteKind, { note, signature }: SignedNote): OwnerVerdict {
  return verifyOwnerSignature(noteDigest(kind, note), note.owner, signature);
}
