import { readdirSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inboxFolder, leaveCustodyRecord } from '../../../agent/custody/inbox.ts';
import { custodyOfUnit } from '../../../agent/main.ts';
import { custodyStreamOf } from '../../../core/custody-record.ts';
import { nativeSha256 } from '../../../hw/crypto/native-hash.ts';
import { readEvidence } from '../../../verifier/evidence.ts';
import { custodyContent, GRANT_HASH } from '../support/custody.ts';
import { LiveUnit } from '../support/live-unit.ts';
import { MemoryCapture } from '../support/memory-capture.ts';
import { PRIMITIVES } from '../support/primitives.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

let folder: ReturnType<typeof temporaryFolder>;
let unit: LiveUnit;

beforeEach(() => {
  folder = temporaryFolder();
  unit = new LiveUnit(folder.path, new MemoryCapture());
});
afterEach(async () => {
  await unit.stop();
  folder[Symbol.dispose]();
});

test('a running agent seals what is left in its inbox, over sessions in one chain', async () => {
  const leave = (purpose: string) =>
    leaveCustodyRecord(
      unit.dataDir,
      custodyContent({ purpose, grantHash: GRANT_HASH }),
      PRIMITIVES.random,
    );
  leave('before the first start');
  await unit.start();
  await until(() => unit.agent.status.custody.sealed === 1);
  leave('while it runs');
  await until(() => unit.agent.status.custody.sealed === 2);
  leave('just before it stops');
  await unit.stop();
  expect(readdirSync(inboxFolder(unit.dataDir))).toEqual([]);
  await unit.start();
  leave('in the next session');
  await unit.stop();
  const { records } = custodyOfUnit(unit.dataDir);
  expect(records.map(({ record: { seq, purpose } }) => [seq, purpose])).toEqual([
    [0, 'before the first start'],
    [1, 'while it runs'],
    [2, 'just before it stops'],
    [3, 'in the next session'],
  ]);
  const { streams } = readEvidence(unit.evidence(), nativeSha256);
  const names = streams.map(({ id }) => id).filter((id) => id.startsWith('records/custody'));
  expect(names).toEqual(['records/custody', custodyStreamOf(GRANT_HASH)]);
});
