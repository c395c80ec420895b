/**
 * The enrolment as the unit keeps it, in files of its data folder: what it asked for, what its owner and its device key
 * signed, and that the registry knows it, where that was shown. Implements spec/enrolment.md, "On the unit".
 */
import { join } from 'node:path';
import { equalBytes } from '../../core/bytes.ts';
import { recordId, unverifiedPayload } from '../../core/cose.ts';
import { decodeEnrolment, type Enrolment } from '../../core/enrolment.ts';
import { decodeEnrolmentRequest, type EnrolmentRequest } from '../../core/enrolment-request.ts';
import { UserError } from '../../core/errors.ts';
import { keepFile, keepNewFile, readIfThere } from '../kept-file.ts';

const REQUEST = 'request.wmr';
const ENROLMENT = 'enrolment.wme';
const REGISTRATION = 'registration.wmp';

export type KeptEnrolment = {
  /** COSE_Sign1 by the device key. */
  readonly record: Uint8Array;
  readonly id: Uint8Array;
  readonly enrolment: Enrolment;
};

function folderOf(dataDir: string): string {
  return join(dataDir, 'enrolment');
}

/** What the unit asked for last. @throws OperationalError STORAGE_*; FormatError of a damaged file */
export function readRequest(dataDir: string): EnrolmentRequest | undefined {
  const bytes = readIfThere(join(folderOf(dataDir), REQUEST));
  return bytes && decodeEnrolmentRequest(bytes);
}

/** Durable before anybody sees it: the tag in it is the one that the unit's first log will have. */
export function keepRequest(dataDir: string, request: Uint8Array): void {
  keepFile(folderOf(dataDir), REQUEST, request);
}

/** That the registry knows the enrolment; an enrolment without it was taken by its signature alone. */
export function keepRegistration(dataDir: string, proof: Uint8Array): void {
  keepFile(folderOf(dataDir), REGISTRATION, proof);
}

/** @throws OperationalError STORAGE_*; FormatError of a damaged file */
export function readEnrolment(dataDir: string): KeptEnrolment | undefined {
  const record = readIfThere(join(folderOf(dataDir), ENROLMENT));
  if (record === undefined) return undefined;
  const payload = unverifiedPayload(record);
  const { enrolment } = decodeEnrolment(payload);
  return { record, id: recordId('enrolment', enrolment.deviceKey, payload), enrolment };
}

/**
 * Never written over: sessions name the enrolment by its id for ever. Repeating the same is no mistake.
 * @throws UserError ENROLMENT_EXISTS; OperationalError STORAGE_*
 */
export function keepEnrolment(dataDir: string, record: Uint8Array): void {
  const known = readEnrolment(dataDir);
  if (known === undefined) {
    keepNewFile(folderOf(dataDir), ENROLMENT, record);
    return;
  }
  if (equalBytes(unverifiedPayload(known.record), unverifiedPayload(record))) return;
  throw new UserError('ENROLMENT_EXISTS', 'this unit is enrolled already, by another enrolment');
}
