/** A running agent and its inbox: what a grantee lays down is answered beside the recording, or refused with its code. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DEFAULTS } from '../../agent/config.ts';
import type { RequestOutcome } from '../../agent/request-round.ts';
import { sha256 } from '../../core/hash.ts';
import { hpkeOpen } from '../../hw/crypto/hpke.ts';
import { nativeSha256 } from '../../hw/crypto/native-hash.ts';
import { openFor, receiptFor, requestAccess } from '../../owner/grantee.ts';
import {
  confirmGrant,
  type GrantFile,
  grantAccess,
  grantedRecord,
  revokeGrant,
} from '../../owner/grants.ts';
import { openOwnerFolder } from '../../owner/identity/owner-folder.ts';
import { createOwner } from '../../owner/main.ts';
import { WORTHLESS } from '../../owner/password-cost.ts';
import { custodyIn } from '../../verifier/custody.ts';
import { readEvidence } from '../../verifier/evidence.ts';
import { LiveUnit } from '../agent/support/live-unit.ts';
import { MemoryCapture } from '../agent/support/memory-capture.ts';
import { PRIMITIVES } from '../agent/support/primitives.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { until } from '../agent/support/until.ts';
import { enrolledUnit, PASSWORD } from './support/enrolled-unit.ts';

const REGISTRY = new Uint8Array(20).fill(8);
const STREAM = 'records/state';

let folder: TemporaryFolder;
let unit: LiveUnit;
let outcomes: RequestOutcome[];

const path = (name: string): string => join(folder.path, name);

beforeEach(async () => {
  folder = temporaryFolder();
  unit = new LiveUnit(folder.path, new MemoryCapture());
  outcomes = [];
  await enrolledUnit(unit.dataDir, path('owner'));
  await createOwner(path('insurer'), PASSWORD, undefined, WORTHLESS);
  mkdirSync(join(unit.dataDir, 'requests'));
});
afterEach(async () => {
  await unit.stop();
  folder[Symbol.dispose]();
});

async function start(): Promise<void> {
  const disclose = { ...DEFAULTS.disclose, grantRegistry: REGISTRY };
  const onRequest = (outcome: RequestOutcome): void => {
    outcomes.push(outcome);
  };
  await unit.start({ disclose }, {}, { onRequest });
  await until(() => unit.agent.status.chunks.count > 0);
}

async function granted(): Promise<GrantFile> {
  const { address, recoveryPublicKey } = openOwnerFolder(path('insurer'));
  const nowS = Math.floor(Date.now() / 1000);
  const terms = {
    contract: REGISTRY,
    grantee: address,
    granteeKey: recoveryPublicKey,
    granteeName: 'Beispiel Versicherung',
    streams: [STREAM],
    dataFromS: nowS - 3600,
    dataToS: nowS + 3600,
    purpose: 'claim 4711',
    form: 'raw',
    expiresAtS: nowS + 3600,
    disclosures: 0,
    noticeHash: sha256(new Uint8Array(0)),
  } as const;
  return await grantAccess(path('owner'), terms, PASSWORD);
}

async function asked(grant: GrantFile): Promise<Uint8Array> {
  const note = await confirmGrant(path('owner'), grant.bytes, PASSWORD);
  const order = { grant: grant.bytes, state: { note } };
  return await requestAccess(path('insurer'), order, PASSWORD);
}

function layDown(name: string, bytes: Uint8Array | string): void {
  writeFileSync(join(unit.dataDir, 'requests', name), bytes);
}

async function outcome(name: string): Promise<RequestOutcome | undefined> {
  await until(() => outcomes.some((each) => each.name === name));
  return outcomes.find((each) => each.name === name);
}

test('a request is answered while the agent records, and again for the next period; a note ends it', async () => {
  await start();
  const grant = await granted();
  layDown('first.wmq', await asked(grant));
  expect(await outcome('first.wmq')).toMatchObject({ package: 'first.wmks', code: undefined });
  const file = readFileSync(join(unit.dataDir, 'packages', 'first.wmks'));
  const opened = await openFor(path('insurer'), file, PASSWORD, hpkeOpen, PRIMITIVES);
  expect(opened.leaves).toBeGreaterThan(0);
  layDown('granted.wmc', await grantedRecord(path('owner'), grant.bytes, PASSWORD));
  const receipt = await receiptFor(path('insurer'), file, opened, PASSWORD, nativeSha256);
  layDown('receipt.wmc', receipt);
  layDown('twice.wmc', receipt);
  for (const name of ['granted.wmc', 'receipt.wmc', 'twice.wmc']) {
    expect(await outcome(name)).toMatchObject({ package: undefined, code: undefined });
  }
  const forged = await receiptFor(path('owner'), file, opened, PASSWORD, nativeSha256);
  layDown('forged.wmc', forged);
  expect(await outcome('forged.wmc')).toMatchObject({ code: 'CUSTODY_SIGNER' });
  const other = await receiptFor(path('insurer'), file.subarray(1), opened, PASSWORD, nativeSha256);
  layDown('other.wmc', other);
  expect(await outcome('other.wmc')).toMatchObject({ code: 'CUSTODY_UNKNOWN' });
  // What was done under the grant is sealed, and comes with the second package.
  await until(() => unit.agent.status.custody.sealed === 3);
  layDown('second.wmq', await asked(grant));
  expect(await outcome('second.wmq')).toMatchObject({ package: 'second.wmks' });
  const next = readFileSync(join(unit.dataDir, 'packages', 'second.wmks'));
  const again = await openFor(path('insurer'), next, PASSWORD, hpkeOpen, PRIMITIVES);
  const { acts } = custodyIn(readEvidence(again.bundle, nativeSha256), nativeSha256);
  expect(
    acts.map(({ record, signature }) => [record.action, record.role, signature]).sort(),
  ).toEqual([
    ['disclosed', 'agent', undefined],
    ['granted', 'owner', 'verified'],
    ['received', 'grantee', 'verified'],
  ]);
  expect(unit.agent.status.custody.refused).toBe(0);
  const late = await asked(grant);
  layDown('no.wmr', await revokeGrant(path('owner'), grant.bytes, PASSWORD));
  expect(await outcome('no.wmr')).toMatchObject({ package: undefined, code: undefined });
  layDown('third.wmq', late);
  expect(await outcome('third.wmq')).toMatchObject({ package: undefined, code: 'GRANT_REVOKED' });
  expect(readdirSync(join(unit.dataDir, 'requests'))).toEqual(['refused']);
  expect(readdirSync(join(unit.dataDir, 'packages')).sort()).toEqual(['first.wmks', 'second.wmks']);
}, 60_000);

test('what is no request is refused with its code beside it, and holds up nothing', async () => {
  const grant = await granted();
  layDown('a.wmq', 'nothing');
  layDown('b.wmq', await asked(grant));
  await start();
  expect(await outcome('a.wmq')).toMatchObject({ package: undefined, code: 'CBOR_TRUNCATED' });
  expect(await outcome('b.wmq')).toMatchObject({ package: 'b.wmks' });
  const refused = join(unit.dataDir, 'requests', 'refused');
  expect(readFileSync(join(refused, 'a.wmq.code'), 'utf8')).toMatch(/^CBOR_TRUNCATED: /);
  expect(existsSync(join(refused, 'a.wmq'))).toBe(true);
}, 60_000);
