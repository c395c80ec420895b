/** What an owner signs for a unit that asked to be enrolled. Implements spec/enrolment.md, "Bytes". */
import { type Enrolment, vinCommitment } from '../../core/enrolment.ts';
import {
  decodeEnrolmentRequest,
  normalPairingCode,
  pairingCode,
} from '../../core/enrolment-request.ts';
import { UserError } from '../../core/errors.ts';
import { registeredVehicle } from '../../core/registry-words.ts';

/** What only the owner knows; each salt 32 random bytes. */
export type OwnerSecrets = {
  readonly vin: string;
  readonly vinSalt: Uint8Array;
  readonly vehicleSalt: Uint8Array;
  readonly registrySalt: Uint8Array;
};

export type EnrolmentFacts = {
  /** As the unit gave it. */
  readonly request: Uint8Array;
  /** As the owner typed it from the unit's screen. */
  readonly code: string;
  readonly chainId: bigint;
  /** VehicleRegistry, 20 bytes. */
  readonly registry: Uint8Array;
  readonly recoveryKey: Uint8Array;
  readonly odometerKm: number | undefined;
  readonly enrolledAtS: number;
  readonly secrets: OwnerSecrets;
  /** Of a vehicle that was another's before; none when this owner is its first. */
  readonly vehicleNumber: Uint8Array | undefined;
};

/** ISO 3779: 17 characters without I, O and Q. */
const VIN = /^[A-HJ-NPR-Z0-9]{17}$/;

/** @throws UserError PAIRING_CODE, VIN_MALFORMED; FormatError of the request */
export function makeEnrolment(owner: Uint8Array, facts: EnrolmentFacts): Enrolment {
  const { secrets } = facts;
  const asked = decodeEnrolmentRequest(facts.request);
  if (normalPairingCode(facts.code) !== pairingCode(facts.request)) {
    throw new UserError(
      'PAIRING_CODE',
      'the code is not that of this request: is it from the unit?',
    );
  }
  if (!VIN.test(secrets.vin)) {
    throw new UserError('VIN_MALFORMED', 'expected a VIN of 17 characters without I, O and Q');
  }
  return {
    ...asked,
    chainId: facts.chainId,
    contract: facts.registry,
    owner,
    recoveryKey: facts.recoveryKey,
    vinCommitment: vinCommitment(secrets.vinSalt, secrets.vin),
    odometerKm: facts.odometerKm,
    vouchers: [],
    enrolledAtS: facts.enrolledAtS,
    vehicleNumber: facts.vehicleNumber ?? registeredVehicle(owner, secrets.vehicleSalt),
    registrySalt: secrets.registrySalt,
  };
}
