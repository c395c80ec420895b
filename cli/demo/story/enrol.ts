/** A unit gets its owner: request, pairing code, signature, registry. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULTS } from '../../../agent/config.ts';
import type { Registration } from '../../../agent/enrolment.ts';
import { acceptUnitEnrolment, requestUnitEnrolment } from '../../../agent/main.ts';
import { toHex } from '../../../core/bytes.ts';
import { pairingCode } from '../../../core/enrolment-request.ts';
import { OperationalError } from '../../../core/errors.ts';
import { enrolUnit, registerVehicle } from '../../../owner/enrolment.ts';
import { proveRegistration } from '../../../owner/registration-proof.ts';
import type { Stage } from './stage.ts';

const SERIAL = 'WMK-STORY';
/** Nobody's: of no manufacturer that there is. */
const VIN = 'WMKTESTVEHXCLE000';

export type Enrolled = {
  readonly vehicleNumber: Uint8Array;
};

/** @param handOver of the owner before, if any */
export async function enrol(stage: Stage, owner: string, handOver?: Uint8Array): Promise<Enrolled> {
  const { unit, registries, cast, rpc, say } = stage;
  const request = requestUnitEnrolment(unit, SERIAL);
  const code = pairingCode(request);
  const order = {
    ...{ folder: owner, request, code, vin: VIN, odometerKm: 12, handOver },
    ...{ registry: registries.vehicleRegistry, chain: { rpc } },
  };
  const { payload, vehicleNumber } = await enrolUnit(order, cast.password);
  const { blockNumber } = await registerVehicle(owner, cast.password, rpc);
  const registration = handOver === undefined ? 'none' : await registrationOf(stage, owner);
  acceptUnitEnrolment(unit, payload, DEFAULTS.deviceKey, registration);
  const number = toHex(vehicleNumber).slice(0, 16);
  say(`  Pairing code ${code}; vehicle 0x${number}… is registered since block ${blockNumber}.`);
  return { vehicleNumber };
}

/** What the unit asks of its next owner: it comes when the service's beacon has passed the block of the registration. */
async function registrationOf(stage: Stage, owner: string): Promise<Registration> {
  const { rpc, service, signal, say } = stage;
  for (;;) {
    try {
      const places = { rpc, service: service.httpUrl };
      const { proof, blockNumber } = await proveRegistration(owner, places);
      say(`  The unit is shown that the registry knows it, in block ${blockNumber}.`);
      const { servicePublicKey: key, chainId } = service;
      return { proof, services: [{ key, chainId }] };
    } catch (error) {
      const isEarly = error instanceof OperationalError && error.code === 'REGISTRATION_NOT_SEEN';
      if (!isEarly) throw error;
      await sleep(200, undefined, { signal });
    }
  }
}
