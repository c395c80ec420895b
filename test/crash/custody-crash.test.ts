/** ARCHITECTURE.md, "Crash table", agent: custody records of agents that are killed are sealed once each, whatever the line. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inboxFolder, leaveCustodyRecord } from '../../agent/custody/inbox.ts';
import { custodyOfUnit } from '../../agent/main.ts';
import type { CommitPoint } from '../../agent/ports.ts';
import { verifyCustodyChain } from '../../core/custody-record.ts';
import { custodyContent } from '../agent/support/custody.ts';
import { PRIMITIVES } from '../agent/support/primitives.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { UnitOnTrial } from '../power/unit-on-trial.ts';

const POINTS: readonly (readonly [CommitPoint, readonly number[]])[] = [
  ['bodies-synced', [1, 2]],
  ['chunks-committed', [1, 2, 1]],
  ['custody-freed', [1, 1]],
];

let folder: TemporaryFolder;

beforeAll(() => {
  folder = temporaryFolder();
});
afterAll(() => folder[Symbol.dispose]());

test.each(POINTS)(
  'killed at %s, it loses no custody record and doubles none',
  async (point, times) => {
    const own = join(folder.path, point);
    mkdirSync(own);
    const unit = new UnitOnTrial(own, { framesPerSecond: 200, chunkMs: 300, journal: 'kept' });
    let left = 0;
    const leave = (): void => {
      for (let i = 0; i < 3; i++) {
        left += 1;
        const content = custodyContent({ purpose: `${left}`, wallNs: BigInt(left) });
        leaveCustodyRecord(unit.dataDir, content, PRIMITIVES.random);
      }
    };
    for (const nth of times) {
      leave();
      expect(await unit.killAt({ point, nth })).toBe('SIGKILL');
    }
    leave();
    const found = await unit.stopAndCompare();
    expect([...found.wrong, ...unit.disk.usedTwice()]).toEqual([]);
    const { records, unread } = custodyOfUnit(unit.dataDir);
    expect(unread).toEqual([]);
    const chain = verifyCustodyChain(records.map(({ bytes }) => bytes));
    expect(chain.map(({ seq }) => seq)).toEqual(chain.map((_, i) => i));
    const all = Array.from({ length: left }, (_, i) => `${i + 1}`);
    expect(chain.map(({ purpose }) => purpose).toSorted()).toEqual(all.toSorted());
    expect(readdirSync(inboxFolder(unit.dataDir))).toEqual([]);
  },
);

test('killed at custody-left, an export has left a record of a bundle that nobody got', async () => {
  const [unit, out] = [join(folder.path, 'exporting'), join(folder.path, 'evidence.wmk')];
  const program = join(import.meta.dirname, 'export-process.ts');
  const child = spawn(process.execPath, [program, unit, out], { stdio: 'inherit' });
  await once(child, 'close');
  expect(child.signalCode).toBe('SIGKILL');
  expect(readdirSync(inboxFolder(unit))).toHaveLength(1);
  expect(existsSync(out)).toBe(false);
});
