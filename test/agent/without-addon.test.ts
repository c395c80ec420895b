import { spawnSync } from 'node:child_process';
import { cpSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { exportFromUnit } from '../../agent/main.ts';
import { fixturePath, SYNTHETIC_LOG } from '../hw/replay/fixture-logs.ts';
import { framesText } from './support/evidence.ts';
import { logText } from './support/run-agent.ts';
import { temporaryFolder } from './support/temporary-folder.ts';

const ROOT = join(import.meta.dirname, '../..');

/** A replay by the sources of a machine on which the add-on could not be built. */
const PROGRAM = `
import { nativeSealing } from './hw/crypto/native-sealing.ts';
import { configFor, record } from './test/agent/support/run-agent.ts';
if (nativeSealing() !== undefined) throw new Error('the add-on is there');
await record(configFor(process.argv[2], process.argv[3]));
`;

test('without the native add-on a replay is sealed all the same', () => {
  using folder = temporaryFolder();
  for (const part of ['agent', 'core', 'hw', 'test/agent/support', 'package.json']) {
    const isSource = (path: string) => !path.startsWith(join(ROOT, 'hw/native/build'));
    cpSync(join(ROOT, part), join(folder.path, part), { recursive: true, filter: isSource });
  }
  for (const part of ['fixtures', 'node_modules']) {
    symlinkSync(join(ROOT, part), join(folder.path, part));
  }
  const program = join(folder.path, 'record.ts');
  writeFileSync(program, PROGRAM);
  const unit = join(folder.path, 'unit');
  const log = fixturePath(SYNTHETIC_LOG);
  const { status, stderr } = spawnSync(process.execPath, [program, unit, log], {
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([0, '']);
  expect(framesText(exportFromUnit(unit, {}, () => undefined))).toBe(logText(log));
});
