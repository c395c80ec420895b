/**
 * Enrolling a unit: it says who it is, its owner signs, its device key signs last.
 * Implements spec/enrolment.md, "Request" and "On the unit".
 */
import { equalBytes, toHex } from '../core/bytes.ts';
import { encodeSigned, recordId } from '../core/cose.ts';
import { decodeEnrolment, type Enrolment, enrolmentDigest } from '../core/enrolment.ts';
import { type EnrolmentRequest, encodeEnrolmentRequest } from '../core/enrolment-request.ts';
import { UserError } from '../core/errors.ts';
import type { HandOver } from '../core/hand-over.ts';
import { type OwnerVerdict, verifyOwnerSignature } from '../core/owner-signature.ts';
import { type BelievedService, verifyRegistration } from '../core/registration-proof.ts';
import { TAG_BYTES } from '../core/vehicle-log.ts';
import { finishEnd } from './end-epoch.ts';
import {
  keepEnrolment,
  keepRegistration,
  keepRequest,
  readEnrolment,
  readRequest,
} from './enrol/kept-enrolment.ts';
import { nextEpoch } from './hand-over/ended-epochs.ts';
import { readDeviceKey } from './keys.ts';
import type { Machine } from './machine.ts';
import { assertNotOfEndedEpoch, lastHandOver } from './ownership.ts';
import type { LogIdentity } from './ports.ts';
import { knownIdentity, makeUnit } from './unit.ts';

/**
 * Makes the device key where there is none. Beside a running agent it only reads.
 * @returns the request, which is also kept
 * @throws UserError ENROLMENT_EXISTS; as `openUnit`
 */
export function requestEnrolment(
  dataDir: string,
  machine: Machine,
  unitSerial: string,
): Uint8Array {
  // First: until its enrolment has moved with it, an epoch that was ending looks like one that goes on.
  finishEnd(dataDir, machine);
  if (readEnrolment(dataDir) !== undefined) {
    throw new UserError('ENROLMENT_EXISTS', 'this unit is enrolled already');
  }
  const deviceKey = makeUnit(dataDir, machine);
  assertNotOfEndedEpoch(dataDir, deviceKey);
  const { tag, epoch } = placeOf(dataDir, machine);
  const request = encodeEnrolmentRequest({
    tag,
    epoch,
    deviceKey,
    unitSerial,
    softwareHash: machine.softwareHash(),
    keyProtection: machine.deviceKeys.protection,
  });
  keepRequest(dataDir, request);
  return request;
}

/** Of the log that there is; before the first one, of the request that was kept, which the first log will follow. */
function placeOf(dataDir: string, machine: Machine): Pick<LogIdentity, 'tag' | 'epoch'> {
  return (
    knownIdentity(dataDir, machine) ??
    readRequest(dataDir) ?? {
      tag: machine.primitives.random(TAG_BYTES),
      epoch: nextEpoch(dataDir),
    }
  );
}

/** What shows, beside the owner's signature, that the enrolment is the owner's. */
export type Registration =
  /** By the registry (spec/registration-proof.md), under a beacon of one of these services. */
  | { readonly proof: Uint8Array; readonly services: readonly BelievedService[] }
  /** The weaker mode of a unit that was handed over: the signature alone, and so by a key. */
  | 'unproven'
  | 'none';

export type Enrolled = {
  readonly id: Uint8Array;
  readonly enrolment: Enrolment;
  /** COSE_Sign1. */
  readonly record: Uint8Array;
  readonly owner: OwnerVerdict;
  /** Block in whose state the registry knows the enrolment; none where no proof was given. */
  readonly registeredAt: bigint | undefined;
};

/**
 * Takes the owner's answer and puts the device key's signature around it. In force from the agent's next start.
 * @param payload of the enrolment, signed by the owner
 * @throws UserError ENROLMENT_FOREIGN, ENROLMENT_EXISTS, ENROLMENT_OWNER, ENROLMENT_WALLET, ENROLMENT_UNPROVEN, KEY_FILE_*, DEVICE_KEY_*, SIGNER_*;
 * OperationalError SIGNER_*, STORAGE_*; FormatError; VerificationError OWNER_SIGNATURE_INVALID, REGISTRATION_*, REGISTRY_*, PROOF_*
 */
export function acceptEnrolment(
  dataDir: string,
  machine: Machine,
  payload: Uint8Array,
  registration: Registration,
): Enrolled {
  const { enrolment, signature } = decodeEnrolment(payload);
  const owner = verifyOwnerSignature(enrolmentDigest(enrolment), enrolment.owner, signature);
  const request = readRequest(dataDir);
  const signer = readDeviceKey(dataDir, machine.deviceKeys);
  if (request === undefined || signer === undefined || !isOf(enrolment, request)) {
    throw new UserError('ENROLMENT_FOREIGN', 'the enrolment is not of what this unit asked for');
  }
  const id = recordId('enrolment', enrolment.deviceKey, payload);
  const handOver = lastHandOver(dataDir);
  if (handOver !== undefined) {
    assertFollows(enrolment, handOver);
    assertShown(owner, registration);
  }
  const isProven = typeof registration === 'object';
  const registeredAt = isProven
    ? verifyRegistration(
        registration.proof,
        { id, enrolment },
        registration.services,
        machine.verify,
      ).number
    : undefined;
  // Asked before anything is kept: roots could be sealed to no such key, or be opened by anybody.
  machine.hpkeSeal(enrolment.recoveryKey, new Uint8Array(0), new Uint8Array(0));
  if (!equalBytes(signer.key.bytes, enrolment.deviceKey.bytes)) {
    throw new UserError('ENROLMENT_FOREIGN', 'the enrolment is of another device key');
  }
  const record = encodeSigned('enrolment', signer.key, { payload, signature: signer.sign(id) });
  // Before the enrolment, which is what counts: a kill in between leaves a proof that the next attempt replaces.
  if (isProven) keepRegistration(dataDir, registration.proof);
  keepEnrolment(dataDir, record);
  return { id, enrolment, record, owner, registeredAt };
}

/** After a hand-over: who stands beside the unit must not become its owner in another's name. */
function assertShown(owner: OwnerVerdict, registration: Registration): void {
  if (typeof registration === 'object') return;
  if (owner !== 'verified') {
    throw new UserError(
      'ENROLMENT_WALLET',
      'the owner’s wallet is a contract: after a hand-over only a proof of the registry shows that it has taken this enrolment',
    );
  }
  if (registration === 'unproven') return;
  throw new UserError(
    'ENROLMENT_UNPROVEN',
    'after a hand-over the unit asks for a proof that the registry knows the enrolment, or to be told to do without',
  );
}

/** A unit that was handed over takes the owner and the vehicle that its last owner named. */
function assertFollows(enrolment: Enrolment, handOver: HandOver): void {
  const follows =
    equalBytes(enrolment.owner, handOver.newOwner) &&
    equalBytes(enrolment.vehicleNumber, handOver.vehicleNumber) &&
    equalBytes(enrolment.contract, handOver.contract) &&
    enrolment.chainId === handOver.chainId;
  if (follows) return;
  throw new UserError(
    'ENROLMENT_OWNER',
    `this unit was handed over to 0x${toHex(handOver.newOwner)}, with its vehicle: who is that enrols it`,
  );
}

/** Everything that the unit said of itself, unchanged. */
function isOf(enrolment: Enrolment, request: EnrolmentRequest): boolean {
  return equalBytes(encodeEnrolmentRequest(enrolment), encodeEnrolmentRequest(request));
}
