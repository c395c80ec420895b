/** ARCHITECTURE.md, "Crash table", an erasure: killed at each of its commit points; the next start carries it out. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sealedRootsOfUnit } from '../../agent/main.ts';
import type { CommitPoint } from '../../agent/ports.ts';
import { toHex } from '../../core/bytes.ts';
import { decodeCustodyRecord } from '../../core/custody-record.ts';
import { sha256 } from '../../core/hash.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { LiveOwnedUnit, shownIn } from '../owner/support/live-owned-unit.ts';
import { ERASURE_POINTS } from './erasure-points.ts';

const PROCESS = join(import.meta.dirname, 'erase-process.ts');
/** Also where there are no keys any more. */
const IN_ENDED: readonly CommitPoint[] = [
  ...ERASURE_POINTS,
  'storage-key-made',
  'keys-forgotten',
  'custody-left',
];
const POINTS: readonly CommitPoint[] = [...IN_ENDED, 'storage-key-destroyed'];

let folder: TemporaryFolder;
let recorded: LiveOwnedUnit;
/** The same, sold. */
let sold: LiveOwnedUnit;
const at = (name: string) => join(folder.path, name);

beforeAll(async () => {
  folder = temporaryFolder();
  recorded = await LiveOwnedUnit.make(at('recorded'));
  await recorded.record(5);
  writeFileSync(at('order.wmx'), await recorded.order(1, 2));
  sold = recorded.copy(at('sold'));
  const ended = await sold.handOver();
  writeFileSync(at('order-ended.wmx'), await sold.orderIn(ended, 1, 2));
});
afterAll(() => folder[Symbol.dispose]());

function killed(dataDir: string, order: string, point: CommitPoint): void {
  const args = [PROCESS, dataDir, at(order), point];
  const { signal } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  expect(signal).toBe('SIGKILL');
}

/** The order is where it belongs, and nothing of what it took is anywhere in the folder or opens with the roots that are left. */
async function assertErased(unit: LiveOwnedUnit, dataDir: string, from: string): Promise<void> {
  expect(readdirSync(join(dataDir, 'erasure'))).toEqual(['done']);
  expect(readdirSync(join(dataDir, 'erasure', 'done'))).toHaveLength(1);
  const shown = await unit.shown('owner', 'raw/can0/123', dataDir);
  expect(shown.slice(0, 2)).toEqual([0, 3]);
  const ofOld = shownIn(recorded.dataDir, await unit.roots(dataDir), 'raw/can0/123');
  expect(ofOld.slice(0, 2)).toEqual([0, 3]);
  const sealedBefore = sealedRootsOfUnit(from).map(({ sealed }) => sealed);
  for (const path of readdirSync(dataDir, { recursive: true, encoding: 'utf8' })) {
    const file = join(dataDir, path);
    if (!statSync(file).isFile()) continue;
    const bytes = readFileSync(file);
    expect(
      sealedBefore.some((sealed) => bytes.includes(sealed)),
      path,
    ).toBe(false);
  }
}

const nameOf = (order: Uint8Array) => `${toHex(sha256(order))}.wmx`;

function noticeIn(dataDir: string): Uint8Array {
  const done = join(dataDir, 'erasure', 'done');
  return readFileSync(join(done, readdirSync(done)[0] ?? ''));
}

test.each(POINTS)('killed at %s', async (point) => {
  const unit = recorded.copy(at(point));
  killed(unit.dataDir, 'order.wmx', point);
  await unit.record(2);
  await assertErased(unit, unit.dataDir, recorded.dataDir);
  expect(await unit.shown('unit')).not.toContain(1);
  // One record, whatever the line, sealed, and none that waits.
  const erased = unit.custody().filter(({ action }) => action === 'erased');
  expect(erased).toMatchObject([
    { objectHash: sha256(noticeIn(unit.dataDir)), spans: [{ log: 0, firstSeq: 1, count: 2 }] },
  ]);
  expect(readdirSync(join(unit.dataDir, 'custody'))).toEqual([]);
});

test.each(IN_ENDED)('killed at %s in an ended epoch', async (point) => {
  const unit = sold.copy(at(`ended-${point}`));
  const ended = join(unit.dataDir, 'ended', '0');
  killed(ended, 'order-ended.wmx', point);
  await unit.startAndStop();
  await assertErased(unit, ended, join(sold.dataDir, 'ended', '0'));
  // No log is open that could take it: it waits in the folder, and the notice says who ordered it.
  const waiting = readdirSync(join(ended, 'custody')).filter((name) => name !== 'refused');
  const records = waiting.map((name) =>
    decodeCustodyRecord(readFileSync(join(ended, 'custody', name))),
  );
  expect(records).toMatchObject([{ action: 'erased', objectHash: sha256(noticeIn(ended)) }]);
});

test('an order that waits when the epoch ends goes with it, and is carried out there', async () => {
  const unit = recorded.copy(at('waiting'));
  await unit.handOverUntil('device-key-destroyed');
  // Taking the hand-over has left a custody record, whose stream is sealed to the owner as well.
  const before = unit.copy(at('waiting-before'));
  const order = await unit.order(1, 2);
  mkdirSync(join(unit.dataDir, 'erasure'));
  writeFileSync(join(unit.dataDir, 'erasure', nameOf(order)), order);
  await unit.startAndStop();
  expect(readdirSync(unit.dataDir)).not.toContain('erasure');
  await assertErased(unit, join(unit.dataDir, 'ended', '0'), before.dataDir);
});
