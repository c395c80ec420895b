/**
 * Hand-over: the owner of an epoch ends it on the unit, before the vehicle is another's.
 * Implements spec/hand-over.md.
 */
import { encodeCbor } from './cbor.ts';
import { decodeRecord, type Fields, FORMAT_VERSION } from './fields.ts';
import {
  type OwnerSignature,
  type OwnerVerdict,
  ownerSignatureFields,
  readOwnerSignature,
  verifyOwnerSignature,
} from './owner-signature.ts';
import { RECORD } from './record-type.ts';
import { type TypedData, typedDataDigest } from './typed-data.ts';
import { TAG_BYTES } from './vehicle-log.ts';
import { ADDRESS_BYTES } from './window.ts';

const MAX_HAND_OVER_BYTES = 8 * 1024;

export type HandOver = {
  /** Of the chain that the registry is on. */
  readonly chainId: bigint;
  /** VehicleRegistry, 20 bytes. */
  readonly contract: Uint8Array;
  /** Of the epoch that ends. */
  readonly owner: Uint8Array;
  readonly tag: Uint8Array;
  readonly epoch: number;
  readonly vehicleNumber: Uint8Array;
  /** Whose epoch is the next one. */
  readonly newOwner: Uint8Array;
  /** Unix seconds, by the owner's machine. */
  readonly handedOverAtS: number;
};

export type SignedHandOver = { readonly handOver: HandOver; readonly signature: OwnerSignature };

/** What a wallet shows to the owner, who signs it. */
export function handOverTypedData(handOver: HandOver): TypedData {
  const { chainId, contract } = handOver;
  return {
    domain: { chainId, verifyingContract: contract },
    structName: 'HandOver',
    fields: [
      ['address', 'owner', handOver.owner],
      ['bytes16', 'vehicle', handOver.tag],
      ['uint64', 'epoch', BigInt(handOver.epoch)],
      ['bytes32', 'vehicleNumber', handOver.vehicleNumber],
      ['address', 'newOwner', handOver.newOwner],
      ['uint64', 'handedOverAt', BigInt(handOver.handedOverAtS)],
    ],
  };
}

/** EIP-712 digest, 32 bytes. */
export function handOverDigest(handOver: HandOver): Uint8Array {
  return typedDataDigest(handOverTypedData(handOver));
}

export function encodeHandOver({ handOver, signature }: SignedHandOver): Uint8Array {
  return encodeCbor([
    RECORD.handOver,
    FORMAT_VERSION,
    handOver.chainId,
    handOver.contract,
    handOver.owner,
    handOver.tag,
    handOver.epoch,
    handOver.vehicleNumber,
    handOver.newOwner,
    handOver.handedOverAtS,
    ownerSignatureFields(signature),
  ]);
}

/** @throws FormatError CBOR_*, RECORD_*, FIELD_*, OWNER_SIGNATURE_FORM */
export function decodeHandOver(bytes: Uint8Array): SignedHandOver {
  return decodeRecord(bytes, RECORD.handOver, readSignedHandOver, MAX_HAND_OVER_BYTES);
}

function readSignedHandOver(fields: Fields): SignedHandOver {
  const handOver: HandOver = {
    chainId: fields.uint64('chain id'),
    contract: fields.bytes('contract', ADDRESS_BYTES),
    owner: fields.bytes('owner', ADDRESS_BYTES),
    tag: fields.bytes('tag', TAG_BYTES),
    epoch: fields.uint('epoch'),
    vehicleNumber: fields.bytes('vehicle number', 32),
    newOwner: fields.bytes('new owner', ADDRESS_BYTES),
    handedOverAtS: fields.uint('handed over at'),
  };
  return { handOver, signature: fields.nested('signature', readOwnerSignature) };
}

/** @throws VerificationError OWNER_SIGNATURE_INVALID */
export function verifyHandOver({ handOver, signature }: SignedHandOver): OwnerVerdict {
  return verifyOwnerSignature(handOverDigest(handOver), handOver.owner, signature);
}
