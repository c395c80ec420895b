/** What the unit has forgotten: its owner answers the grantee in its place, by the command that people use. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DEFAULTS } from '../../agent/config.ts';
import { prepareUnit } from '../../agent/main.ts';
import { toHex } from '../../core/bytes.ts';
import {
  type CustodyRecord,
  decodeCustodyRecord,
  verifyCustodySignature,
} from '../../core/custody-record.ts';
import { sha256 } from '../../core/hash.ts';
import { hpkeOpen } from '../../hw/crypto/hpke.ts';
import { openFor, requestAccess } from '../../owner/grantee.ts';
import { confirmGrant, type GrantFile, grantAccess } from '../../owner/grants.ts';
import { openOwnerFolder } from '../../owner/identity/owner-folder.ts';
import { createOwner } from '../../owner/main.ts';
import { WORTHLESS } from '../../owner/password-cost.ts';
import { PRIMITIVES } from '../agent/support/primitives.ts';
import { configFor, record } from '../agent/support/run-agent.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { witnessmark } from '../e2e/command.ts';
import { enrolledUnit, PASSWORD } from './support/enrolled-unit.ts';

const REGISTRY = new Uint8Array(20).fill(8);
const STREAM = 'raw/can0/100';
const START_S = 1_700_000_000;
/** A frame each 10 ms, for five seconds; the first three are granted. */
const GRANTED_S = 3;
const DRIVE = Array.from(
  { length: 500 },
  (_, i) => `(${(START_S + i / 100).toFixed(6)}) can0 100#0001\n`,
).join('');

let folder: TemporaryFolder;
let grant: GrantFile;
const at = (name: string): string => join(folder.path, name);

beforeAll(async () => {
  folder = temporaryFolder();
  writeFileSync(at('drive.log'), DRIVE);
  writeFileSync(at('password'), `${PASSWORD}\n`);
  prepareUnit(at('unit'));
  await enrolledUnit(at('unit'), at('owner'));
  for (const name of ['insurer', 'stranger']) {
    await createOwner(at(name), PASSWORD, undefined, WORTHLESS);
  }
  const keys = { ...DEFAULTS.keys, readableHours: 0 };
  await record(configFor(at('unit'), at('drive.log'), { keys }));
  const { address, recoveryPublicKey } = openOwnerFolder(at('insurer'));
  const nowS = Math.floor(Date.now() / 1000);
  grant = await grantAccess(
    at('owner'),
    {
      contract: REGISTRY,
      grantee: address,
      granteeKey: recoveryPublicKey,
      granteeName: 'Beispiel Versicherung',
      streams: [STREAM],
      dataFromS: START_S,
      dataToS: START_S + GRANTED_S,
      purpose: 'claim 4711',
      form: 'raw',
      expiresAtS: nowS + 3600,
      disclosures: 0,
      noticeHash: sha256(new Uint8Array(0)),
    },
    PASSWORD,
  );
}, 60_000);
afterAll(() => folder[Symbol.dispose]());

async function ask(name: string): Promise<void> {
  const note = await confirmGrant(at('owner'), grant.bytes, PASSWORD);
  const order = { grant: grant.bytes, state: { note } };
  writeFileSync(at(name), await requestAccess(at('insurer'), order, PASSWORD));
}

async function disclose(request: string, out: string, ...more: readonly string[]) {
  const args = [
    ...['disclose', '--data', 'unit', '--registry', `0x${toHex(REGISTRY)}`],
    ...['--request', request, '--out', out, ...more],
  ];
  const { status, stdout, stderr } = await witnessmark(args, { cwd: folder.path });
  const code = /\(([A-Z_]+)\)\s*$/.exec(stderr)?.[1];
  return { status, stdout: stdout.toString(), code };
}

function inbox(): readonly CustodyRecord[] {
  const names = existsSync(at('unit/custody')) ? readdirSync(at('unit/custody')) : [];
  return names
    .filter((name) => name.endsWith('.cbor'))
    .sort()
    .map((name) => decodeCustodyRecord(readFileSync(join(at('unit/custody'), name))));
}

const BY_OWNER = ['--owner', 'owner', '--password-file', 'password'] as const;

test('the unit refuses what it cannot read; the owner gives it, under a record that he has signed', async () => {
  await ask('one.wmq');
  expect(await disclose('one.wmq', 'one.wmks')).toMatchObject({ status: 1, code: 'LEAVES_GONE' });
  const given = await disclose('one.wmq', 'one.wmks', ...BY_OWNER);
  expect(given).toMatchObject({ status: 0, code: undefined });
  expect(given.stdout).toContain('3 leaves of 1 streams in 3 chunks');
  const file = readFileSync(at('one.wmks'));
  const opened = await openFor(at('insurer'), file, PASSWORD, hpkeOpen, PRIMITIVES);
  expect([opened.chunks, opened.leaves]).toEqual([GRANTED_S, GRANTED_S]);
  const [refused, disclosed, ...others] = inbox();
  expect(others).toEqual([]);
  expect(refused).toMatchObject({ action: 'refused', role: 'agent', signature: undefined });
  if (disclosed === undefined) throw new Error('no record');
  expect(disclosed).toMatchObject({ action: 'disclosed', role: 'owner', leafCount: GRANTED_S });
  expect(verifyCustodySignature(disclosed)).toBe('verified');
  expect(toHex(disclosed.objectHash ?? REGISTRY)).toBe(toHex(sha256(file)));
  // Answered is answered, whoever answered.
  const again = await disclose('one.wmq', 'again.wmks', ...BY_OWNER);
  expect(again).toMatchObject({ status: 1, code: 'REQUEST_REPEATED' });
  expect(inbox().at(-1)).toMatchObject({ action: 'refused', role: 'owner' });
}, 60_000);

test('from a copy of the unit the record is a file, for the unit to take later', async () => {
  await ask('two.wmq');
  const before = inbox().length;
  const given = await disclose('two.wmq', 'two.wmks', ...BY_OWNER, '--record-out', 'two.wmc');
  expect(given).toMatchObject({ status: 0 });
  expect(inbox()).toHaveLength(before);
  const taken = await witnessmark(['disclose', '--data', 'unit', '--record', 'two.wmc'], {
    cwd: folder.path,
  });
  expect(taken.stdout.toString()).toContain('to be sealed: disclosed by did:ethr:');
  expect(inbox()).toHaveLength(before + 1);
}, 60_000);

test('nobody else can answer in the place of the owner', async () => {
  await ask('three.wmq');
  const by = ['--owner', 'stranger', '--password-file', 'password'] as const;
  expect(await disclose('three.wmq', 'three.wmks', ...by)).toMatchObject({ code: 'HPKE_OPEN' });
  expect(existsSync(at('three.wmks'))).toBe(false);
}, 60_000);
