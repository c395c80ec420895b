/** What a unit that was handed over takes from whoever wants to enrol it, without a chain: signatures and refusals. */
import { cpSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { DEFAULTS } from '../../agent/config.ts';
import type { Registration } from '../../agent/enrolment.ts';
import { acceptUnitEnrolment, handOverUnit, requestUnitEnrolment } from '../../agent/main.ts';
import { decodeEnrolment, encodeEnrolment } from '../../core/enrolment.ts';
import { pairingCode } from '../../core/enrolment-request.ts';
import { enrolUnit } from '../../owner/enrolment.ts';
import { draftHandOver, signHandOver } from '../../owner/hand-over.ts';
import { addressOfOwner, createOwner } from '../../owner/main.ts';
import { WORTHLESS } from '../../owner/password-cost.ts';
import { codeOf } from '../agent/support/coded-error.ts';
import { configFor, record, start } from '../agent/support/run-agent.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { crashLog } from '../crash/crash-log.ts';
import { enrolledUnit, PASSWORD } from './support/enrolled-unit.ts';

let folder: TemporaryFolder;
/** Between two owners, and has asked for an enrolment. */
let asked: string;
/** The buyer's answer. */
let payload: Uint8Array;
let unit: string;
let count = 0;
const at = (name: string) => join(folder.path, name);

beforeAll(async () => {
  folder = temporaryFolder();
  asked = at('asked');
  writeFileSync(at('drive.log'), crashLog(2).text);
  await enrolledUnit(asked, at('seller'));
  await createOwner(at('buyer'), PASSWORD, undefined, WORTHLESS);
  const config = configFor(asked, at('drive.log'));
  await record(config);
  const draft = draftHandOver(at('seller'), addressOfOwner(at('buyer')), 1_800_000_000);
  const handOver = await signHandOver(at('seller'), draft, PASSWORD);
  handOverUnit(asked, handOver);
  const agent = await start(config);
  await agent.ownerChange;
  await agent.stop();
  const request = requestUnitEnrolment(asked, 'WMK-7');
  const order = {
    folder: at('buyer'),
    request,
    code: pairingCode(request),
    vin: 'WMKTESTVEHXCLE000',
    odometerKm: undefined,
    registry: new Uint8Array(20).fill(9),
    chain: { id: 31_337n },
    handOver,
  };
  ({ payload } = await enrolUnit(order, PASSWORD));
});
afterAll(() => folder[Symbol.dispose]());

beforeEach(() => {
  count += 1;
  unit = at(`unit-${count}`);
  cpSync(asked, unit, { recursive: true });
});

const accept = (answer: Uint8Array, registration: Registration) =>
  acceptUnitEnrolment(unit, answer, DEFAULTS.deviceKey, registration);
const isEnrolled = () => existsSync(join(unit, 'enrolment/enrolment.wme'));

/** In the buyer's name, by somebody beside the unit, who can write anything but the buyer's signature. */
function asContract(recoveryKey: Uint8Array): Uint8Array {
  const { enrolment } = decodeEnrolment(payload);
  const signature = { kind: 'contract', bytes: Uint8Array.of(1) } as const;
  return encodeEnrolment({ enrolment: { ...enrolment, recoveryKey }, signature });
}

test.each<Registration>(['none', 'unproven'])(
  'a signature that nobody can check is none (%s)',
  (mode) => {
    expect(codeOf(() => accept(asContract(new Uint8Array(32).fill(5)), mode))).toBe(
      'ENROLMENT_WALLET',
    );
    expect(isEnrolled()).toBe(false);
  },
);

test('a signature by a key is not enough, unless the unit is told so', () => {
  expect(codeOf(() => accept(payload, 'none'))).toBe('ENROLMENT_UNPROVEN');
  expect(isEnrolled()).toBe(false);
  const { owner, registeredAt } = accept(payload, 'unproven');
  expect([owner, registeredAt]).toEqual(['verified', undefined]);
  expect(isEnrolled()).toBe(true);
  // Nothing claims that it was proven.
  expect(existsSync(join(unit, 'enrolment/registration.wmp'))).toBe(false);
});

test('what is no proof is none', () => {
  const services = [
    { key: { algorithm: 'ES256K' as const, bytes: new Uint8Array(33) }, chainId: 1n },
  ];
  expect(codeOf(() => accept(payload, { proof: Uint8Array.of(0x80), services }))).toMatch(
    /^(RECORD|FIELD)_/,
  );
  expect(isEnrolled()).toBe(false);
});
