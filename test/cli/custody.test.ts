/** `witnessmark export` leaves a custody record, and `witnessmark custody` shows it. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inboxFolder } from '../../agent/custody/inbox.ts';
import { custodyOfUnit } from '../../agent/main.ts';
import { toHex } from '../../core/bytes.ts';
import { sha256 } from '../../core/hash.ts';
import { readEvidence } from '../../verifier/evidence.ts';
import { command } from '../agent/support/command.ts';
import { LiveUnit } from '../agent/support/live-unit.ts';
import { MemoryCapture } from '../agent/support/memory-capture.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { until } from '../agent/support/until.ts';

let folder: TemporaryFolder;
let unit: LiveUnit;
let out: string;

beforeEach(async () => {
  folder = temporaryFolder();
  out = join(folder.path, 'evidence.wmk');
  const source = new MemoryCapture(['can0']);
  unit = new LiveUnit(folder.path, source);
  await unit.start();
  source.add(0, 0x123, Uint8Array.of(1));
  await until(() => unit.durable.at(-1)?.[0] === 1);
  await unit.stop();
});
afterEach(async () => {
  await unit.stop();
  folder[Symbol.dispose]();
});

const run = async (...args: readonly string[]) => await command(args).ended;
const exporting = (...more: readonly string[]) =>
  run('export', '--data', unit.dataDir, '--out', out, ...more);
const waiting = () =>
  existsSync(inboxFolder(unit.dataDir)) ? readdirSync(inboxFolder(unit.dataDir)) : [];

/** Seals what is in the inbox. */
async function restart(): Promise<void> {
  await unit.start();
  await unit.stop();
}

test('an export leaves its record, which the next agent seals and its owner sees', async () => {
  const before = unit.headers().length;
  expect(await exporting('--purpose', 'own copy')).toMatchObject({ status: 0, stderr: '' });
  expect(waiting()).toHaveLength(1);
  expect(readdirSync(folder.path)).not.toContain('evidence.wmk.unrecorded');
  await restart();
  const [kept] = custodyOfUnit(unit.dataDir).records;
  expect(kept?.record).toMatchObject({
    ...{ seq: 0, action: 'exported', role: 'agent', purpose: 'own copy' },
    objectHash: sha256(readFileSync(out)),
    spans: [{ log: 0, firstSeq: 0, count: before }],
    ...{ streamCount: 4, leafCount: 4 * before },
  });
  const listed = await run('custody', '--data', unit.dataDir);
  expect(listed).toMatchObject({ status: 0, stderr: '' });
  expect(listed.stdout).toMatch(
    /^0 in 0\/\d+ {2}exported by "user .*" \(agent\).*, for "own copy"\n$/,
  );
  const json = await run('custody', '--data', unit.dataDir, '--json');
  expect(JSON.parse(json.stdout)).toMatchObject({
    ...{ ownerSeq: 0, action: 'exported' },
    objectHash: toHex(sha256(readFileSync(out))),
  });
});

test('a bundle shows the custody that it opens, and chosen streams have it when it is asked for', async () => {
  await exporting();
  await restart();
  rmSync(out);
  await exporting('--stream', 'raw/can0/123');
  const bare = await run('custody', out);
  expect(bare).toMatchObject({ status: 0, stdout: '', stderr: 'no custody record\n' });
  rmSync(out);
  await exporting('--stream', 'raw/can0/123', '--custody');
  const { streams } = readEvidence(readFileSync(out), sha256);
  expect(streams.map(({ id }) => id)).toEqual(['raw/can0/123', 'records/custody']);
  expect((await run('custody', out)).stdout).toMatch(/^0 in 0\/\d+ {2}exported by /);
});

test('where no record can be left, an export is refused, unless it is asked for without one', async () => {
  writeFileSync(inboxFolder(unit.dataDir), 'no folder');
  const refused = await exporting();
  expect(refused.status).toBe(2);
  expect(refused.stderr).toContain('(CUSTODY_UNRECORDED)');
  expect(readdirSync(folder.path)).toEqual(['unit']);
  const knowing = await exporting('--unrecorded');
  expect(knowing.status).toBe(0);
  expect(knowing.stderr).toContain('No custody record was made');
  expect(existsSync(out)).toBe(true);
});

test('a file that is there is not written over, and leaves no record', async () => {
  writeFileSync(out, 'mine');
  expect((await exporting()).stderr).toContain('(OUTPUT)');
  expect([readFileSync(out, 'utf8'), waiting()]).toEqual(['mine', []]);
});

test.each([
  [['custody']],
  [['custody', '--data', 'x', 'y']],
  [['export', '--data', 'x', '--out', 'y', '--purpose', 'p'.repeat(501)]],
  [['pause']],
  [['pause', '--data', 'x', '--for', '0']],
  [['pause', '--data', 'x', '--for', 'ever']],
])('%j is refused', async (args) => {
  expect((await run(...args)).stderr).toContain('(ARGUMENTS)');
});

test('pause and resume say what they did', async () => {
  const paused = await run('pause', '--data', unit.dataDir, '--for', '10');
  expect(paused.stdout).toMatch(
    /^paused until \d{4}-.*Z; a running agent follows within a second\n$/,
  );
  expect(JSON.parse(readFileSync(join(unit.dataDir, 'paused'), 'utf8'))).toMatchObject({
    reason: '',
  });
  const resumed = await run('resume', '--data', unit.dataDir);
  expect(resumed.stdout).toBe('recording goes on within a second\n');
  expect((await run('resume', '--data', unit.dataDir)).stdout).toBe('it was not paused\n');
  expect((await run('pause', '--data', folder.path)).stderr).toContain('(SPOOL_MISSING)');
});

test('an export can leave a page, too, that carries the bundle; neither is written over', async () => {
  const html = join(folder.path, 'evidence.html');
  expect(await exporting('--html', html)).toMatchObject({ status: 0, stderr: '' });
  const text = readFileSync(html, 'utf8');
  const [, digest, carried] =
    /id="carried-bundle" data-name="evidence\.wmk" data-digest="(\w+)">([^<]+)</.exec(text) ?? [];
  expect(Buffer.from(carried ?? '', 'base64')).toEqual(readFileSync(out));
  expect(digest).toBe(toHex(sha256(readFileSync(out))));
  rmSync(out);
  const again = await exporting('--html', html);
  expect(again).toMatchObject({ status: 2 });
  expect(again.stderr).toContain('OUTPUT');
  expect(existsSync(out)).toBe(false);
  expect(readFileSync(html, 'utf8')).toBe(text);
});
