/**
 * What an owner keeps of an enrolment: the salts, without which nobody can ever show the VIN or the commitment. Written
 * before the enrolment leaves this machine.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromHex, toHex } from '../../core/bytes.ts';
import { UserError } from '../../core/errors.ts';
import type { OwnerSecrets } from './make-enrolment.ts';

const NAME = 'vehicle.json';
const VERSION = 0;

export type VehicleFile = {
  readonly secrets: OwnerSecrets;
  /** Of the enrolment, signed by the owner. */
  readonly payload: Uint8Array;
};

/** Never over another. @throws UserError OWNER_FOLDER */
export function keepVehicle(folder: string, { secrets, payload }: VehicleFile): void {
  const text = JSON.stringify(
    {
      'witnessmark-vehicle': VERSION,
      vin: secrets.vin,
      vinSalt: toHex(secrets.vinSalt),
      vehicleSalt: toHex(secrets.vehicleSalt),
      registrySalt: toHex(secrets.registrySalt),
      enrolment: toHex(payload),
    },
    null,
    2,
  );
  try {
    writeFileSync(join(folder, NAME), `${text}\n`, { flag: 'wx', mode: 0o600, flush: true });
  } catch (cause) {
    throw new UserError('OWNER_FOLDER', `${folder} cannot be written`, { cause });
  }
}

/** @throws UserError OWNER_NOT_ENROLLED when the file is damaged */
export function findVehicle(folder: string): VehicleFile | undefined {
  return existsSync(join(folder, NAME)) ? readVehicle(folder) : undefined;
}

/** @throws UserError OWNER_NOT_ENROLLED */
export function readVehicle(folder: string): VehicleFile {
  try {
    const value = JSON.parse(readFileSync(join(folder, NAME), 'utf8')) as Record<string, unknown>;
    if (value['witnessmark-vehicle'] !== VERSION) throw new Error('another version');
    const bytes = (key: string): Uint8Array => fromHex(String(value[key]));
    return {
      secrets: {
        vin: String(value['vin']),
        vinSalt: bytes('vinSalt'),
        vehicleSalt: bytes('vehicleSalt'),
        registrySalt: bytes('registrySalt'),
      },
      payload: bytes('enrolment'),
    };
  } catch (cause) {
    throw new UserError('OWNER_NOT_ENROLLED', `${folder} has enrolled no vehicle yet`, { cause });
  }
}
