/** Units whose device key is in a TPM or in a token are sold: the next epoch has another key, and of the old one nothing is left. */
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { acceptUnitEnrolment, handOverUnit, requestUnitEnrolment } from '../../agent/main.ts';
import { toHex } from '../../core/bytes.ts';
import { decodeEnrolmentRequest, pairingCode } from '../../core/enrolment-request.ts';
import { enrolUnit } from '../../owner/enrolment.ts';
import { draftHandOver, signHandOver } from '../../owner/hand-over.ts';
import { createOwner } from '../../owner/main.ts';
import { WORTHLESS } from '../../owner/password-cost.ts';
import { codeOf, codeOfAsync } from '../agent/support/coded-error.ts';
import { configFor, record, start } from '../agent/support/run-agent.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { type KeptKey, keyInToken, keyInTpm } from '../hw/keys/support/kept-keys.ts';

let folder: TemporaryFolder;
const at = (name: string): string => join(folder.path, name);
const deviceKeyFile = (): string => at('unit/keys/device.key');

beforeEach(() => {
  folder = temporaryFolder();
  mkdirSync(at('keeper'));
});
afterEach(() => folder[Symbol.dispose]());

const configOf = (kept: KeptKey) =>
  configFor(at('unit'), at('drive.log'), { deviceKey: kept.config });

/** Enrolled, has recorded, and has taken its hand-over; no agent runs. */
async function handedOver(kept: KeptKey): Promise<void> {
  writeFileSync(at('drive.log'), '(1700000000.000000) can0 100#0001\n');
  await createOwner(at('owner'), 'secret', undefined, WORTHLESS);
  const request = requestUnitEnrolment(at('unit'), 'WMK-7', kept.config);
  const order = {
    folder: at('owner'),
    request,
    code: pairingCode(request),
    vin: 'WMKTESTVEHXCLE000',
    odometerKm: undefined,
    registry: new Uint8Array(20).fill(7),
    chain: { id: 11_155_111n },
  };
  acceptUnitEnrolment(at('unit'), (await enrolUnit(order, 'secret')).payload, kept.config);
  await record(configOf(kept));
  const handOver = draftHandOver(at('owner'), new Uint8Array(20).fill(3), 1_800_000_000);
  handOverUnit(at('unit'), await signHandOver(at('owner'), handOver, 'secret'));
}

async function endEpoch(kept: KeptKey): Promise<void> {
  const agent = await start(configOf(kept));
  expect(await agent.ownerChange).toBe('handed_over');
  await agent.stop();
}

const nextKey = (kept: KeptKey): string => {
  const request = decodeEnrolmentRequest(requestUnitEnrolment(at('unit'), 'WMK-7', kept.config));
  expect(request.epoch).toBe(1);
  return toHex(request.deviceKey.bytes);
};

/** Whether a file of the unit says it. */
const says = (text: string): boolean =>
  readdirSync(at('unit'), { recursive: true, encoding: 'utf8' })
    .map((name) => join(at('unit'), name))
    .some((path) => statSync(path).isFile() && readFileSync(path, 'latin1').includes(text));

test('in a TPM: what opens there is nowhere in the unit any more', async () => {
  const kept = await keyInTpm(at('keeper'));
  try {
    await handedOver(kept);
    const [text, key] = [
      readFileSync(deviceKeyFile(), 'utf8'),
      kept.store().open(deviceKeyFile()).key,
    ];
    const wrapped = /^private (\w+)$/m.exec(text)?.[1] ?? '';
    expect(says(wrapped)).toBe(true);
    await endEpoch(kept);
    expect(says(wrapped)).toBe(false);
    expect(nextKey(kept)).not.toBe(toHex(key.bytes));
  } finally {
    await kept.stop();
  }
}, 120_000);

test('in a token: it has no key any more, and the new owner gets another', async () => {
  const kept = await keyInToken(at('keeper'), 'ES256');
  await handedOver(kept);
  const old = toHex(kept.store().open(deviceKeyFile()).key.bytes);
  expect(kept.keyIds()).toHaveLength(1);
  await endEpoch(kept);
  expect(kept.keyIds()).toEqual([]);
  expect(nextKey(kept)).not.toBe(old);
  expect(kept.keyIds()).toHaveLength(1);
}, 120_000);

test('while the token is away the epoch does not end, and the next start ends it', async () => {
  const kept = await keyInToken(at('keeper'), 'ES256');
  await handedOver(kept);
  const before = readFileSync(deviceKeyFile());
  const agent = await start(configOf(kept));
  await kept.takeAway();
  expect(await codeOfAsync(async () => await agent.ownerChange)).toBe('SIGNER_UNAVAILABLE');
  await agent.stop();
  expect(readFileSync(deviceKeyFile())).toEqual(before);
  expect(await codeOfAsync(async () => await start(configOf(kept)))).toBe('SIGNER_UNAVAILABLE');
  // Nor does whoever looks for the key in a file throw away what says where it is.
  expect(codeOf(() => requestUnitEnrolment(at('unit'), 'WMK-7'))).toBe('DEVICE_KEY_KIND');
  expect(readFileSync(deviceKeyFile())).toEqual(before);
  await kept.bringBack();
  const waiting = await start(configOf(kept));
  expect(waiting.status.problems().map(({ code }) => code)).toEqual(['EPOCH_ENDED']);
  await waiting.stop();
  // One: that of the epoch which the new owner is to enrol.
  expect(kept.keyIds()).toHaveLength(1);
}, 120_000);

test('a token that was restored brings the old key back, and it is not taken', async () => {
  const kept = await keyInToken(at('keeper'), 'ES256');
  await handedOver(kept);
  const old = toHex(kept.store().open(deviceKeyFile()).key.bytes);
  cpSync(at('keeper/token/tokens'), at('copy'), { recursive: true });
  await endEpoch(kept);
  rmSync(at('keeper/token/tokens'), { recursive: true });
  cpSync(at('copy'), at('keeper/token/tokens'), { recursive: true });
  // Again, as the file of it is there by now.
  for (let i = 0; i < 2; i++) expect(codeOf(() => nextKey(kept))).toBe('DEVICE_KEY_ENDED');
  kept.loseKey();
  rmSync(deviceKeyFile());
  expect(nextKey(kept)).not.toBe(old);
}, 120_000);
