/** ARCHITECTURE.md, "Crash table", an erasure: killed at each of its commit points; the next start carries it out. */
import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exportFromUnit, sealedRootsOfUnit } from '../../agent/main.ts';
import type { CommitPoint } from '../../agent/ports.ts';
import { decodeBundle } from '../../core/bundle.ts';
import { decodeOpenedChunk } from '../../core/bundle-items.ts';
import { openRoots, orderErasure } from '../../owner/main.ts';
import { configFor, record } from '../agent/support/run-agent.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { enrolledUnit, PASSWORD } from '../owner/support/enrolled-unit.ts';
import { crashLog } from './crash-log.ts';
import { ERASURE_POINTS } from './erasure-points.ts';

const PROCESS = join(import.meta.dirname, 'erase-process.ts');
const POINTS: readonly CommitPoint[] = [
  ...ERASURE_POINTS,
  'storage-key-made',
  'keys-forgotten',
  'storage-key-destroyed',
  'custody-left',
];

let folder: TemporaryFolder;
let recorded: string;
let sealedBefore: readonly Uint8Array[];
const at = (name: string) => join(folder.path, name);

beforeAll(async () => {
  folder = temporaryFolder();
  recorded = at('recorded');
  writeFileSync(at('drive.log'), crashLog(4).text);
  await enrolledUnit(recorded, at('owner'));
  await record(configFor(recorded, at('drive.log')));
  const wish = {
    spans: [{ log: 0, firstSeq: 1, count: 2 }],
    held: 'kept' as const,
    reason: 'a test',
    orderedAtS: 1_800_000_000,
  };
  sealedBefore = sealedRootsOfUnit(recorded).map(({ sealed }) => sealed);
  const bytes = await orderErasure(at('owner'), sealedRootsOfUnit(recorded), wish, PASSWORD);
  writeFileSync(at('order.wmx'), bytes);
});
afterAll(() => folder[Symbol.dispose]());

test.each(POINTS)('killed at %s', async (point) => {
  const unit = at(point);
  cpSync(recorded, unit, { recursive: true });
  const args = [PROCESS, unit, at('order.wmx'), point];
  const { signal } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  expect(signal).toBe('SIGKILL');

  await record(configFor(unit, at('drive.log')));
  expect(readdirSync(join(unit, 'erasure'))).toEqual([]);
  const roots = await openRoots(sealedRootsOfUnit(unit), at('owner'), PASSWORD);
  for (const given of [[], roots]) {
    const { sections } = decodeBundle(exportFromUnit(unit, { roots: given }, () => undefined));
    const seqs = sections.leaves.map((item) => decodeOpenedChunk(item).seq);
    expect(seqs.slice(0, 2)).toEqual([0, 3]);
  }
  for (const path of readdirSync(unit, { recursive: true, encoding: 'utf8' })) {
    const file = join(unit, path);
    if (!statSync(file).isFile()) continue;
    const bytes = readFileSync(file);
    expect(
      sealedBefore.some((sealed) => bytes.includes(sealed)),
      path,
    ).toBe(false);
  }
});
