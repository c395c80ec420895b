/** What the unit has forgotten, opened with the owner's folder: by the command that people use, and by others in vain. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DEFAULTS } from '../../agent/config.ts';
import { prepareUnit, sealedRootsOfUnit } from '../../agent/main.ts';
import { decodeBundle } from '../../core/bundle.ts';
import { openOwnerFolder } from '../../owner/identity/owner-folder.ts';
import { createOwner, openRoots } from '../../owner/main.ts';
import { WORTHLESS } from '../../owner/password-cost.ts';
import { codeOfAsync } from '../agent/support/coded-error.ts';
import { TestOwner } from '../agent/support/owner.ts';
import { configFor, record } from '../agent/support/run-agent.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { witnessmark } from '../e2e/command.ts';

const SECONDS = 5;
/** A frame each 10 ms. */
const DRIVE = Array.from(
  { length: SECONDS * 100 },
  (_, i) => `(${(1_800_000_000 + i / 100).toFixed(6)}) can0 100#0001\n`,
).join('');

let folder: TemporaryFolder;
const at = (name: string) => join(folder.path, name);

beforeAll(async () => {
  folder = temporaryFolder();
  writeFileSync(at('drive.log'), DRIVE);
  writeFileSync(at('password'), 'correct horse\n');
  await createOwner(at('owner'), 'correct horse', undefined, WORTHLESS);
  await createOwner(at('stranger'), 'correct horse', undefined, WORTHLESS);
  prepareUnit(at('unit'));
  new TestOwner(openOwnerFolder(at('owner')).recoveryPublicKey).enrol(at('unit'));
  const keys = { ...DEFAULTS.keys, readableHours: 0 };
  await record(configFor(at('unit'), at('drive.log'), { keys }));
});
afterAll(() => folder[Symbol.dispose]());

async function exported(out: string, ...more: readonly string[]) {
  const args = ['export', '--data', 'unit', '--out', out, ...more];
  const { status, stdout, stderr } = await witnessmark(args, { cwd: folder.path });
  return { status, stdout: stdout.toString(), stderr };
}

function openedIn(name: string): number {
  return decodeBundle(readFileSync(at(name))).sections.leaves.length;
}

test('export says how many chunks only the owner opens, and opens them with the owner’s folder', async () => {
  const without = await exported('unit.wmk');
  expect(without).toMatchObject({ status: 0 });
  expect(without.stdout).toMatch(/\d chunks? can be opened by the owner only: export --owner DIR/);
  const whole = await exported('owner.wmk', '--owner', 'owner', '--password-file', 'password');
  expect([whole.status, whole.stderr]).toEqual([0, '']);
  expect(whole.stdout).not.toContain('owner only');
  expect(openedIn('owner.wmk')).toBeGreaterThan(openedIn('unit.wmk'));
  expect(openedIn('owner.wmk')).toBe(SECONDS);
});

test('another owner, a wrong password and a unit without an owner are told apart', async () => {
  const stranger = await exported('none.wmk', '--owner', 'stranger', '--password-file', 'password');
  expect(stranger.status).toBe(1);
  expect(stranger.stderr).toContain('HPKE_OPEN');
  const sealed = sealedRootsOfUnit(at('unit'));
  expect(await codeOfAsync(() => openRoots(sealed, at('owner'), 'wrong'))).toBe('RECOVERY_KEY');
  expect(await codeOfAsync(() => openRoots([], at('owner'), 'correct horse'))).toBe('ROOTS_NONE');
});

test('roots that were changed or moved are not skipped over', async () => {
  const [row] = sealedRootsOfUnit(at('unit'));
  if (row === undefined) throw new Error('nothing is sealed');
  const moved = [row, { ...row, firstOrdinal: row.firstOrdinal + 1 }];
  expect(await codeOfAsync(() => openRoots(moved, at('owner'), 'correct horse'))).toBe('HPKE_OPEN');
  // Of an epoch that was another owner's nothing opens, and the rest does.
  const others = [row, { ...row, epoch: row.epoch + 1 }];
  const opened = await openRoots(others, at('owner'), 'correct horse');
  expect(opened.map(({ firstOrdinal }) => firstOrdinal)).toEqual([row.firstOrdinal]);
});
