/** ENROLMENT: an owner took the device key for this vehicle (spec/verification.md, "ENROLMENT"). */
import { equalBytes, toHex } from '../../core/bytes.ts';
import type { VerifiedEnrolment } from '../../core/enrolment.ts';
import type { SessionRecord } from '../../core/session-record.ts';
import { keyId } from '../../core/signature.ts';
import { failed, indeterminate, type Json, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { type EnrolmentReading, isByOwner } from '../enrolments.ts';
import { counted, utc } from '../sentence.ts';

export function checkEnrolment({ enrolments, trail, policy }: Context): Outcome {
  const { sessions } = trail;
  const wrong = enrolments.find(({ problem }) => problem !== undefined)?.problem;
  if (wrong !== undefined) return failed(wrong.code, `enrolment: ${wrong.message}`);
  const values = { enrolments: enrolments.flatMap(valuesOf) };
  const byId = new Map<string, VerifiedEnrolment>();
  for (const { verified } of enrolments) {
    if (verified === undefined) continue;
    const id = toHex(verified.id);
    if (byId.has(id)) return failed('ENROLMENT_TWICE', `enrolment ${id} is there twice`);
    byId.set(id, verified);
  }
  const named = new Set<string>();
  const absent: string[] = [];
  for (const { record } of sessions) {
    if (record.enrolmentId === undefined) continue;
    const id = toHex(record.enrolmentId);
    named.add(id);
    const found = byId.get(id);
    if (found === undefined) absent.push(id);
    else if (!isOf(record, found)) {
      return failed(
        'ENROLMENT_SESSION',
        `session ${record.log}/${record.number} is of another tag, epoch or device key than the enrolment that it names`,
        values,
      );
    }
  }
  const unused = [...byId.keys()].find((id) => !named.has(id));
  if (unused !== undefined) {
    return failed('ENROLMENT_UNUSED', `no session names enrolment ${unused}`, values);
  }
  if (absent.length > 0) {
    return indeterminate('absent', `enrolment ${absent[0]} is named and not shown`, values);
  }
  const bare = sessions.filter(({ record }) => record.enrolmentId === undefined);
  if (bare.length > 0) {
    return indeterminate(
      'unenrolled',
      `${counted(bare.length, 'session')} of a unit that no owner had enrolled: which vehicle this is and who vouched for the device is not shown`,
      values,
    );
  }
  if (sessions.length === 0) return indeterminate('absent', 'the bundle has no session record');
  if (enrolments.some(({ verified }) => verified !== undefined && !isByOwner(verified, policy))) {
    return indeterminate(
      'contract_wallet',
      'the owner’s wallet is a contract: what it takes for its signature, no file can show',
      values,
    );
  }
  return passed(enrolments.map(sentence).join('; '), values);
}

function isOf(record: SessionRecord, { enrolment }: VerifiedEnrolment): boolean {
  return (
    equalBytes(record.tag, enrolment.tag) &&
    record.epoch === enrolment.epoch &&
    equalBytes(record.deviceKeyId, keyId(enrolment.deviceKey))
  );
}

function sentence({ verified, vin }: EnrolmentReading): string {
  if (verified === undefined) return '';
  const { owner, keyProtection, vouchers, enrolledAtS, unitSerial } = verified.enrolment;
  const vouched =
    vouchers.length === 0
      ? 'nobody else vouched for it'
      : vouchers.map(({ role, name }) => `${role} "${name}" vouched for it`).join(', ');
  const shown = vin === undefined ? 'the VIN is not shown' : `the VIN is ${vin}`;
  return `0x${toHex(owner)} enrolled the device key of unit "${unitSerial}" on ${utc(BigInt(enrolledAtS))} by its own clock; the key is kept as ${keyProtection}, ${vouched}; ${shown}`;
}

function valuesOf({ verified, vin }: EnrolmentReading): readonly Json[] {
  if (verified === undefined) return [];
  const { enrolment, id } = verified;
  return [
    {
      id: toHex(id),
      owner: `0x${toHex(enrolment.owner)}`,
      vehicleNumber: toHex(enrolment.vehicleNumber),
      unitSerial: enrolment.unitSerial,
      keyProtection: enrolment.keyProtection,
      softwareHash: toHex(enrolment.softwareHash),
      odometerKm: enrolment.odometerKm ?? null,
      enrolledAtS: enrolment.enrolledAtS,
      vouchers: enrolment.vouchers.map(({ role, name }) => ({ role, name })),
      vin: vin ?? null,
    },
  ];
}
