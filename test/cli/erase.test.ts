/** `witnessmark erase`: what its owner is told, and what is to be said twice. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeErasureOrder } from '../../core/erasure-order.ts';
import { sha256 } from '../../core/hash.ts';
import { command } from '../agent/support/command.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { PASSWORD } from '../owner/support/enrolled-unit.ts';
import { LiveOwnedUnit } from '../owner/support/live-owned-unit.ts';

let folder: TemporaryFolder;
let recorded: LiveOwnedUnit;
const at = (name: string) => join(folder.path, name);
const run = async (...args: readonly string[]) => await command(args).ended;

beforeAll(async () => {
  folder = temporaryFolder();
  recorded = await LiveOwnedUnit.make(at('recorded'));
  await recorded.record(5);
  writeFileSync(at('password'), PASSWORD);
});
afterAll(() => folder[Symbol.dispose]());

async function ordering(unit: LiveOwnedUnit, out: string, ...more: readonly string[]) {
  return await run(
    ...['erase', '--owner', unit.owner, '--data', unit.dataDir, '--from', '1', '--to', '2'],
    ...['--reason', 'settled', '--out', out, '--password-file', at('password'), ...more],
  );
}

test('what is held goes only when it is said in the order and once more on the unit', async () => {
  const unit = recorded.copy(at('held'));
  const database = new Database(join(unit.dataDir, 'spool/index.db'));
  database.exec("INSERT INTO hold (first_chunk, last_chunk, reason) VALUES (2, 4, 'crash')");
  database.close();
  const [kept, erased] = [at('kept.wmx'), at('erased.wmx')];
  expect(await ordering(unit, kept)).toMatchObject({ status: 0, stderr: '' });
  const accepting = (file: string, ...more: readonly string[]) =>
    run('erase', '--data', unit.dataDir, '--accept', file, ...more);
  // A word on the unit that the order does not have changes nothing.
  for (const more of [[], ['--held']]) {
    const refused = await accepting(kept, ...more);
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain('ERASURE_HELD');
  }
  expect(await ordering(unit, erased, '--held')).toMatchObject({ status: 0, stderr: '' });
  const unconfirmed = await accepting(erased);
  expect(unconfirmed.status).not.toBe(0);
  expect(unconfirmed.stderr).toContain('ERASURE_CONFIRM');
  expect(await unit.shown('owner')).toEqual(await recorded.shown('owner'));
  expect(await accepting(erased, '--held')).toMatchObject({ status: 0, stderr: '' });
  const shown = await unit.shown('owner');
  expect(shown.slice(0, 2)).toEqual([0, 3]);
}, 120_000);

test('an order names the copies that are out, whether their record is sealed or waits', async () => {
  const unit = recorded.copy(at('copies'));
  const exporting = (out: string, from: string, to: string) =>
    run('export', '--data', unit.dataDir, '--from', from, '--to', to, '--out', at(out));
  expect(await exporting('sealed.wmk', '0', '1')).toMatchObject({ status: 0 });
  expect(await exporting('elsewhere.wmk', '3', '4')).toMatchObject({ status: 0 });
  await unit.record(1);
  expect(await exporting('waiting.wmk', '2', '4')).toMatchObject({ status: 0 });
  const ordered = await ordering(unit, at('order.wmx'));
  expect(ordered).toMatchObject({ status: 0, stderr: '' });
  expect(ordered.stdout).toContain('does not reach: 2\n');
  const { order } = decodeErasureOrder(readFileSync(at('order.wmx')));
  expect(order.copies).toMatchObject(
    ['sealed.wmk', 'waiting.wmk'].map((name) => ({
      action: 'exported',
      objectHash: sha256(readFileSync(at(name))),
    })),
  );
}, 120_000);
