/** The owner's custody records of which the unit has forgotten the keys: by the command that people type. */
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { leaveCustodyRecord } from '../../agent/custody/inbox.ts';
import { handOverUnit } from '../../agent/main.ts';
import { draftHandOver, signHandOver } from '../../owner/hand-over.ts';
import { createOwner } from '../../owner/main.ts';
import { WORTHLESS } from '../../owner/password-cost.ts';
import { custodyContent } from '../agent/support/custody.ts';
import { PRIMITIVES } from '../agent/support/primitives.ts';
import { configFor, record, start } from '../agent/support/run-agent.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { crashLog } from '../crash/crash-log.ts';
import { witnessmark } from '../e2e/command.ts';
import { enrolledUnit, PASSWORD } from './support/enrolled-unit.ts';

let folder: TemporaryFolder;
const at = (name: string) => join(folder.path, name);

beforeAll(async () => {
  folder = temporaryFolder();
  writeFileSync(at('drive.log'), crashLog(3).text);
  writeFileSync(at('password'), `${PASSWORD}\n`);
  await enrolledUnit(at('unit'), at('owner'));
  await createOwner(at('stranger'), PASSWORD, undefined, WORTHLESS);
  leaveCustodyRecord(at('unit'), custodyContent({ purpose: 'claim 4711' }), PRIMITIVES.random);
  const config = configFor(at('unit'), at('drive.log'));
  await record(config);
  // The shortest way to a unit that has forgotten everything: it was sold.
  const handOver = draftHandOver(at('owner'), new Uint8Array(20).fill(7), 1_800_000_000);
  handOverUnit(at('unit'), await signHandOver(at('owner'), handOver, PASSWORD));
  const agent = await start(config);
  await agent.ownerChange;
  await agent.stop();
  cpSync(at('unit/ended/0'), at('copy'), { recursive: true });
});
afterAll(() => folder[Symbol.dispose]());

const custody = async (...args: readonly string[]) =>
  await witnessmark(['custody', ...args], { cwd: folder.path });

test('without the owner it says how many cannot be read, and who can', async () => {
  const { status, stdout, stderr } = await custody('--data', at('unit/ended/0'));
  expect([status, stdout.toString()]).toEqual([0, '']);
  expect(stderr).toContain('1 chunk with custody records');
  expect(stderr).toContain('(SPOOL_KEYS_FORGOTTEN): its owner can, with --owner DIR');
});

test.each(['unit/ended/0', 'copy'])('with the recovery key all of %s is read', async (data) => {
  const owner = ['--owner', at('owner'), '--password-file', at('password')];
  const { status, stdout, stderr } = await custody('--data', at(data), ...owner);
  expect([status, stderr]).toEqual([0, '']);
  const [line, ...others] = stdout.toString().trim().split('\n');
  expect(others).toEqual([]);
  expect(line).toMatch(/^0 in 0\/0 {2}\w+ by .* for "claim 4711"/);
  const json = await custody('--data', at(data), ...owner, '--json');
  expect(JSON.parse(json.stdout.toString())).toMatchObject({ purpose: 'claim 4711', ownerSeq: 0 });
});

test('another owner’s key opens none, and a bundle has no owner', async () => {
  const stranger = ['--owner', at('stranger'), '--password-file', at('password')];
  const other = await custody('--data', at('copy'), ...stranger);
  expect(other.status).not.toBe(0);
  expect(other.stderr).toContain('(HPKE_OPEN)');
  const bundle = await custody(at('some.wmk'), ...stranger);
  expect(bundle.status).toBe(2);
  expect(bundle.stderr).toContain('(ARGUMENTS)');
});
