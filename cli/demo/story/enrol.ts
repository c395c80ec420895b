/** A unit gets its owner: request, pairing code, signature, registry. */
import { acceptUnitEnrolment, requestUnitEnrolment } from '../../../agent/main.ts';
import { toHex } from '../../../core/bytes.ts';
import { pairingCode } from '../../../core/enrolment-request.ts';
import { enrolUnit, registerVehicle } from '../../../owner/enrolment.ts';
import type { Stage } from './stage.ts';

const SERIAL = 'WMK-STORY';
/** Nobody's: of no manufacturer that there is. */
const VIN = 'WMKTESTVEHXCLE000';

export type Enrolled = {
  readonly vehicleNumber: Uint8Array;
};

/** @param handOver of the owner before, if any */
export async function enrol(
  { unit, registries, cast, rpc, say }: Stage,
  owner: string,
  handOver?: Uint8Array,
): Promise<Enrolled> {
  const request = requestUnitEnrolment(unit, SERIAL);
  const code = pairingCode(request);
  const order = {
    ...{ folder: owner, request, code, vin: VIN, odometerKm: 12, handOver },
    ...{ registry: registries.vehicleRegistry, chain: { rpc } },
  };
  const { payload, vehicleNumber } = await enrolUnit(order, cast.password);
  acceptUnitEnrolment(unit, payload);
  const { blockNumber } = await registerVehicle(owner, cast.password, rpc);
  const number = toHex(vehicleNumber).slice(0, 16);
  say(`  Pairing code ${code}; vehicle 0x${number}… is registered since block ${blockNumber}.`);
  return { vehicleNumber };
}
