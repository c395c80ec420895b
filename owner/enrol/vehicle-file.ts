/**
 * What an owner keeps of an enrolment: the salts, without which nobody can ever show the VIN or the commitment. Written
 * before the enrolment leaves this machine.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromHex, toHex } from '../../core/bytes.ts';
import { UserError } from '../../core/errors.ts';
import type { OwnerSecrets } from './make-enrolment.ts';

const VEHICLE = 'vehicle.json';
/** Of an enrolment that a wallet elsewhere has not signed yet. */
const DRAFT = 'draft.json';
const VERSION = 0;

export type VehicleFile = {
  readonly secrets: OwnerSecrets;
  /** Of the enrolment. */
  readonly payload: Uint8Array;
};

/** Never over another. @throws UserError OWNER_FOLDER */
export function keepVehicle(folder: string, vehicle: VehicleFile): void {
  write(folder, VEHICLE, 'wx', vehicle);
}

/** @throws UserError OWNER_FOLDER */
export function keepDraft(folder: string, draft: VehicleFile): void {
  write(folder, DRAFT, 'w', draft);
}

function write(folder: string, name: string, flag: string, vehicle: VehicleFile): void {
  const { secrets, payload } = vehicle;
  const value = {
    'witnessmark-vehicle': VERSION,
    vin: secrets.vin,
    vinSalt: toHex(secrets.vinSalt),
    vehicleSalt: toHex(secrets.vehicleSalt),
    registrySalt: toHex(secrets.registrySalt),
    enrolment: toHex(payload),
  };
  try {
    const text = `${JSON.stringify(value, null, 2)}\n`;
    writeFileSync(join(folder, name), text, { flag, mode: 0o600, flush: true });
  } catch (cause) {
    throw new UserError('OWNER_FOLDER', `${folder} cannot be written`, { cause });
  }
}

/** @throws UserError OWNER_NOT_ENROLLED when the file is damaged */
export function findVehicle(folder: string): VehicleFile | undefined {
  return existsSync(join(folder, VEHICLE)) ? readVehicle(folder) : undefined;
}

/** @throws UserError OWNER_NOT_ENROLLED */
export function readVehicle(folder: string): VehicleFile {
  return read(folder, VEHICLE, `${folder} has enrolled no vehicle yet`);
}

/** @throws UserError OWNER_NOT_ENROLLED */
export function readDraft(folder: string): VehicleFile {
  return read(folder, DRAFT, `${folder} has no draft that a wallet could have signed`);
}

function read(folder: string, name: string, otherwise: string): VehicleFile {
  try {
    const value = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Record<string, unknown>;
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
    throw new UserError('OWNER_NOT_ENROLLED', otherwise, { cause });
  }
}
