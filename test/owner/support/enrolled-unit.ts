/** A unit that an owner has enrolled, without a chain: the registry is an address where nothing is. */
import { acceptUnitEnrolment, requestUnitEnrolment } from '../../../agent/main.ts';
import { pairingCode } from '../../../core/enrolment-request.ts';
import { enrolUnit } from '../../../owner/enrolment.ts';
import { createOwner } from '../../../owner/main.ts';
import { WORTHLESS } from '../../../owner/password-cost.ts';

export const PASSWORD = 'secret';

/** Makes both folders. */
export async function enrolledUnit(unit: string, owner: string): Promise<void> {
  await createOwner(owner, PASSWORD, undefined, WORTHLESS);
  const request = requestUnitEnrolment(unit, 'WMK-7');
  const order = {
    folder: owner,
    request,
    code: pairingCode(request),
    vin: 'WMKTESTVEHXCLE000',
    odometerKm: undefined,
    registry: new Uint8Array(20).fill(9),
    chain: { id: 31_337n },
  };
  acceptUnitEnrolment(unit, (await enrolUnit(order, PASSWORD)).payload);
}
