/**
 * Enrolment: an owner takes a device key for a vehicle, and the device key proves that it is there.
 * Implements spec/enrolment.md.
 */
import { asciiBytes, concatBytes, equalBytes } from './bytes.ts';
import { type CborValue, encodeCbor } from './cbor.ts';
import { unverifiedPayload, verifySigned } from './cose.ts';
import { VerificationError } from './errors.ts';
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
import { readPublicKey, readWord } from './session-record.ts';
import { COSE_ALGORITHM, keyId, type PublicKey, type VerifyDigest } from './signature.ts';
import { type TypedData, type TypedField, typedDataDigest } from './typed-data.ts';
import { TAG_BYTES } from './vehicle-log.ts';
import { ADDRESS_BYTES } from './window.ts';

export const KEY_PROTECTIONS = ['file', 'pkcs11', 'tpm', 'secure_element'] as const;
export const VOUCHER_ROLES = ['owner', 'installer', 'unit_maker', 'tpm_maker'] as const;
const MAX_VOUCHERS = 8;
const MAX_EVIDENCE_BYTES = 6 * 1024;
const VIN_PREFIX = asciiBytes('wmk-vin');

/** Who says that the key is in this unit in this vehicle, and by what: a certificate, a signed note. */
export type Voucher = {
  readonly role: (typeof VOUCHER_ROLES)[number];
  readonly name: string;
  readonly evidence: Uint8Array;
};

export type Enrolment = {
  /** Of the chain that the registry is on. */
  readonly chainId: bigint;
  /** VehicleRegistry, 20 bytes. */
  readonly contract: Uint8Array;
  readonly owner: Uint8Array;
  readonly tag: Uint8Array;
  readonly epoch: number;
  readonly deviceKey: PublicKey;
  /** X25519, 32 bytes: the roots of all streams are sealed to it. */
  readonly recoveryKey: Uint8Array;
  /** See `vinCommitment`. */
  readonly vinCommitment: Uint8Array;
  /** None when nobody read it. */
  readonly odometerKm: number | undefined;
  readonly unitSerial: string;
  readonly softwareHash: Uint8Array;
  readonly keyProtection: (typeof KEY_PROTECTIONS)[number];
  readonly vouchers: readonly Voucher[];
  /** Unix seconds, by the owner's machine. */
  readonly enrolledAtS: number;
  /** What the registry calls the vehicle (`registeredVehicle`), and the salt of `enrolmentCommitment`: 32 bytes each. */
  readonly vehicleNumber: Uint8Array;
  readonly registrySalt: Uint8Array;
};

export type SignedEnrolment = { readonly enrolment: Enrolment; readonly signature: OwnerSignature };

/** `SHA-256("wmk-vin" ‖ salt ‖ VIN)`: a VIN alone could be found by trying. */
export function vinCommitment(salt: Uint8Array, vin: string): Uint8Array {
  return sha256(concatBytes(VIN_PREFIX, salt, asciiBytes(vin)));
}

/** What an owner's later records repeat of the enrolment, so that they speak of one epoch of one vehicle. */
export type EnrolledEpoch = Pick<Enrolment, 'chainId' | 'contract' | 'owner' | 'tag' | 'epoch'>;

export function isSameEpoch(a: EnrolledEpoch, b: EnrolledEpoch): boolean {
  return (
    a.chainId === b.chainId &&
    a.epoch === b.epoch &&
    equalBytes(a.contract, b.contract) &&
    equalBytes(a.owner, b.owner) &&
    equalBytes(a.tag, b.tag)
  );
}

/** What a wallet shows to the owner, who signs it. */
export function enrolmentTypedData(enrolment: Enrolment): TypedData {
  const { chainId, contract, odometerKm } = enrolment;
  const fields: readonly TypedField[] = [
    ['address', 'owner', enrolment.owner],
    ['bytes16', 'vehicle', enrolment.tag],
    ['uint64', 'epoch', BigInt(enrolment.epoch)],
    ['bytes32', 'deviceKey', keyId(enrolment.deviceKey)],
    ['bytes32', 'recoveryKey', enrolment.recoveryKey],
    ['bytes32', 'vinCommitment', enrolment.vinCommitment],
    ['string', 'odometerKm', odometerKm === undefined ? '' : `${odometerKm}`],
    ['string', 'unitSerial', enrolment.unitSerial],
    ['bytes32', 'softwareHash', enrolment.softwareHash],
    ['string', 'keyProtection', enrolment.keyProtection],
    ['bytes32', 'vouchers', sha256(encodeCbor(voucherFields(enrolment.vouchers)))],
    ['uint64', 'enrolledAt', BigInt(enrolment.enrolledAtS)],
    ['bytes32', 'vehicleNumber', enrolment.vehicleNumber],
    ['bytes32', 'registrySalt', enrolment.registrySalt],
  ];
  return { domain: { chainId, verifyingContract: contract }, structName: 'Enrolment', fields };
}

/** EIP-712 digest, 32 bytes. */
export function enrolmentDigest(enrolment: Enrolment): Uint8Array {
  return typedDataDigest(enrolmentTypedData(enrolment));
}

function voucherFields(vouchers: readonly Voucher[]): readonly CborValue[] {
  return vouchers.map((voucher) => [voucher.role, voucher.name, voucher.evidence]);
}

/** The payload that the device key signs, the owner's signature included. */
export function encodeEnrolment({ enrolment, signature }: SignedEnrolment): Uint8Array {
  return encodeCbor([
    RECORD.enrolment,
    FORMAT_VERSION,
    enrolment.chainId,
    enrolment.contract,
    enrolment.owner,
    enrolment.tag,
    enrolment.epoch,
    [COSE_ALGORITHM[enrolment.deviceKey.algorithm], enrolment.deviceKey.bytes],
    enrolment.recoveryKey,
    enrolment.vinCommitment,
    enrolment.odometerKm === undefined ? [] : [enrolment.odometerKm],
    enrolment.unitSerial,
    enrolment.softwareHash,
    enrolment.keyProtection,
    voucherFields(enrolment.vouchers),
    enrolment.enrolledAtS,
    enrolment.vehicleNumber,
    enrolment.registrySalt,
    ownerSignatureFields(signature),
  ]);
}

/** @throws FormatError CBOR_*, RECORD_*, FIELD_*, OWNER_SIGNATURE_FORM */
export function decodeEnrolment(payload: Uint8Array): SignedEnrolment {
  return decodeRecord(payload, RECORD.enrolment, readSignedEnrolment, 64 * 1024);
}

function readSignedEnrolment(fields: Fields): SignedEnrolment {
  const enrolment: Enrolment = {
    chainId: fields.uint64('chain id'),
    contract: fields.bytes('contract', ADDRESS_BYTES),
    owner: fields.bytes('owner', ADDRESS_BYTES),
    tag: fields.bytes('tag', TAG_BYTES),
    epoch: fields.uint('epoch'),
    deviceKey: fields.nested('device key', readPublicKey),
    recoveryKey: fields.bytes('recovery key', 32),
    vinCommitment: fields.bytes('VIN commitment', 32),
    odometerKm: fields.optional('odometer', (part) => part.uint('km')),
    unitSerial: fields.text('unit serial', 64),
    softwareHash: fields.bytes('software hash', 32),
    keyProtection: readWord(fields, 'key protection', KEY_PROTECTIONS),
    vouchers: fields.list('vouchers', MAX_VOUCHERS, (voucher) => ({
      role: readWord(voucher, 'role', VOUCHER_ROLES),
      name: voucher.text('name', 120),
      evidence: voucher.bytesUpTo('evidence', MAX_EVIDENCE_BYTES),
    })),
    enrolledAtS: fields.uint('enrolled at'),
    vehicleNumber: fields.bytes('vehicle number', 32),
    registrySalt: fields.bytes('registry salt', 32),
  };
  return { enrolment, signature: fields.nested('signature', readOwnerSignature) };
}

export type VerifiedEnrolment = {
  readonly enrolment: Enrolment;
  /** Record id: sessions name it. */
  readonly id: Uint8Array;
  readonly owner: OwnerVerdict;
};

/**
 * Both signatures of a COSE_Sign1. Whether the named owner is the vehicle's is for the caller.
 * @throws FormatError COSE_*, KEY_MALFORMED and those of decodeEnrolment
 * @throws VerificationError SIGNATURE_INVALID, OWNER_SIGNATURE_INVALID
 */
export function verifyEnrolment(bytes: Uint8Array, verify: VerifyDigest): VerifiedEnrolment {
  const { enrolment, signature } = decodeEnrolment(unverifiedPayload(bytes));
  // The payload names the key that must have signed it: proof of possession, not of identity.
  const { id } = verifySigned('enrolment', enrolment.deviceKey, bytes, verify);
  const owner = verifyOwnerSignature(enrolmentDigest(enrolment), enrolment.owner, signature);
  return { enrolment, id, owner };
}

/** @throws VerificationError VIN_COMMITMENT */
export function verifyVinCommitment(commitment: Uint8Array, salt: Uint8Array, vin: string): void {
  if (!equalBytes(vinCommitment(salt, vin), commitment)) {
    throw new VerificationError('VIN_COMMITMENT', 'the VIN is not the one that was committed to');
  }
}
