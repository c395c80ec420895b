/** An owner whose wallet is elsewhere erases and hands over: by the commands, in two steps each. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Wallet } from 'ethers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  acceptUnitEnrolment,
  exportFromUnit,
  requestUnitEnrolment,
  sealedRootsOfUnit,
} from '../../agent/main.ts';
import { decodeBundle } from '../../core/bundle.ts';
import { decodeOpenedChunk } from '../../core/bundle-items.ts';
import { fromHex } from '../../core/bytes.ts';
import { pairingCode } from '../../core/enrolment-request.ts';
import { draftEnrolment, finishEnrolment } from '../../owner/enrolment.ts';
import { createOwner, openRoots } from '../../owner/main.ts';
import { WORTHLESS } from '../../owner/password-cost.ts';
import { configFor, record } from '../agent/support/run-agent.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { crashLog } from '../crash/crash-log.ts';
import { witnessmark } from '../e2e/command.ts';

const PASSWORD = 'secret';
const WALLET = new Wallet(Wallet.createRandom().privateKey);

let folder: TemporaryFolder;
const at = (name: string) => join(folder.path, name);

async function signatureOf(typedData: string, by = WALLET): Promise<string> {
  const { domain, types, message } = JSON.parse(typedData) as {
    domain: object;
    types: Record<string, { name: string; type: string }[]>;
    message: Record<string, unknown>;
  };
  const { EIP712Domain: _, ...own } = types;
  return await by.signTypedData(domain, own, message);
}

beforeAll(async () => {
  folder = temporaryFolder();
  writeFileSync(at('drive.log'), crashLog(6).text);
  writeFileSync(at('password'), `${PASSWORD}\n`);
  await createOwner(at('owner'), PASSWORD, fromHex(WALLET.address), WORTHLESS);
  const request = requestUnitEnrolment(at('unit'), 'WMK-7');
  const draft = await draftEnrolment({
    folder: at('owner'),
    request,
    code: pairingCode(request),
    vin: 'WMKTESTVEHXCLE000',
    odometerKm: undefined,
    registry: new Uint8Array(20).fill(9),
    chain: { id: 31_337n },
  });
  const bytes = fromHex(await signatureOf(draft));
  acceptUnitEnrolment(at('unit'), finishEnrolment(at('owner'), { kind: 'key', bytes }).payload);
  await record(configFor(at('unit'), at('drive.log')));
});
afterAll(() => folder[Symbol.dispose]());

async function run(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await witnessmark(args, { cwd: folder.path });
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}: ${stderr}`);
  return stdout.toString();
}

async function opened(): Promise<readonly number[]> {
  const roots = await openRoots(sealedRootsOfUnit(at('unit')), at('owner'), PASSWORD);
  const { sections } = decodeBundle(exportFromUnit(at('unit'), { roots }, () => undefined));
  return sections.leaves.map((item) => decodeOpenedChunk(item).seq);
}

test('what a wallet elsewhere has signed is erased', async () => {
  const owner = ['erase', '--owner', at('owner')];
  await expect(run(...owner, '--signature', '0x00', '--out', at('none.wmx'))).rejects.toThrow(
    '(ERASURE_NO_DRAFT)',
  );
  const wish = ['--data', at('unit'), '--from', '2', '--to', '3', '--reason', 'settled'];
  const password = ['--password-file', at('password')];
  await expect(run(...owner, ...wish, '--out', at('none.wmx'), ...password)).rejects.toThrow(
    '(WALLET_ELSEWHERE)',
  );
  await run(...owner, ...wish, '--typed-data', at('erasure.json'), ...password);
  const typedData = readFileSync(at('erasure.json'), 'utf8');
  // What the wallet shows says which chunks, and why.
  expect(JSON.parse(typedData)).toMatchObject({
    primaryType: 'Erasure',
    message: { chunks: ['0/2-3'], reason: 'settled', held: 'kept' },
  });
  const forged = await signatureOf(typedData, new Wallet(Wallet.createRandom().privateKey));
  await expect(run(...owner, '--signature', forged, '--out', at('none.wmx'))).rejects.toThrow(
    '(OWNER_SIGNATURE_INVALID)',
  );
  expect(existsSync(at('none.wmx'))).toBe(false);
  await run(...owner, '--signature', await signatureOf(typedData), '--out', at('erasure.wmx'));
  expect(await opened()).toEqual(expect.arrayContaining([2, 3]));
  await run('erase', '--data', at('unit'), '--accept', at('erasure.wmx'));
  const left = await opened();
  expect(left).toContain(1);
  expect(left.filter((seq) => seq === 2 || seq === 3)).toEqual([]);
});

test('and an epoch ends by it', async () => {
  const draft = ['hand-over', '--owner', at('owner'), '--to', `0x${'07'.repeat(20)}`];
  const when = ['--at', '1800000000'];
  await run(...draft, ...when, '--typed-data', at('sale.json'));
  const signature = await signatureOf(readFileSync(at('sale.json'), 'utf8'));
  const said = await run(...draft, ...when, '--signature', signature, '--out', at('sale.wmh'));
  expect(said).toMatch(/to 0x(09){20} data 0x/);
  await run('hand-over', '--data', at('unit'), '--accept', at('sale.wmh'));
  expect(existsSync(at('unit/hand-over.wmh'))).toBe(true);
});
