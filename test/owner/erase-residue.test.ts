/** What an erasure leaves: no ciphertext of the span in any file, every proof of the rest, and who read what. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { leaveCustodyRecord } from '../../agent/custody/inbox.ts';
import { exportFromUnit, prepareUnit, sealedRootsOfUnit } from '../../agent/main.ts';
import { journalEntryAt, journalPath } from '../../agent/record/journal-file.ts';
import { toHex } from '../../core/bytes.ts';
import { custodyContent, GRANT_HASH } from '../agent/support/custody.ts';
import { reportOn, trustPolicy } from '../agent/support/evidence.ts';
import { PRIMITIVES } from '../agent/support/primitives.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { LiveOwnedUnit, shownIn } from './support/live-owned-unit.ts';

let folder: TemporaryFolder;
let recorded: LiveOwnedUnit;
let unit: LiveOwnedUnit;
let count = 0;
const GRANT_STREAM = `records/custody/${toHex(GRANT_HASH)}`;

beforeAll(async () => {
  folder = temporaryFolder();
  recorded = await LiveOwnedUnit.make(join(folder.path, 'recorded'));
  await recorded.record(4);
  leave('under a grant', GRANT_HASH);
  await recorded.record(3);
  leave('of the owner');
  await recorded.record(3);
});
afterAll(() => folder[Symbol.dispose]());

beforeEach(() => {
  count += 1;
  unit = recorded.copy(join(folder.path, `${count}`));
});

function leave(purpose: string, grantHash?: Uint8Array): void {
  const spans = [{ log: 0, firstSeq: 0, count: 3 }];
  const content = custodyContent({ purpose, grantHash, action: 'disclosed', spans });
  leaveCustodyRecord(recorded.dataDir, content, PRIMITIVES.random);
}

/** Names of the unit's files that hold any of these bytes. */
function filesWith(pieces: readonly Uint8Array[]): readonly string[] {
  return readdirSync(unit.dataDir, { recursive: true, encoding: 'utf8' }).filter((path) => {
    const file = join(unit.dataDir, path);
    if (!statSync(file).isFile()) return false;
    const bytes = readFileSync(file);
    return pieces.some((piece) => bytes.includes(piece));
  });
}

function bodiesOf(first: number, last: number): readonly Uint8Array[] {
  const database = new Database(join(unit.dataDir, 'spool/index.db'), { readonly: true });
  const rows = database
    .prepare('SELECT segment, offset, length FROM chunk WHERE place BETWEEN ? AND ?')
    .all(first, last) as { segment: number; offset: number; length: number }[];
  database.close();
  return rows.map(({ segment, offset, length }) => {
    const name = `${String(segment).padStart(8, '0')}.seg`;
    const bytes = readFileSync(join(unit.dataDir, 'spool/segments', name));
    return Uint8Array.from(bytes.subarray(offset, offset + length));
  });
}

function journalBodies(): readonly Uint8Array[] {
  const bytes = readFileSync(journalPath(join(unit.dataDir, 'spool')));
  return Array.from({ length: bytes.length / 4096 }, (_, page) => journalEntryAt(bytes, page))
    .flatMap((entry) => entry?.body ?? [])
    .filter(({ length }) => length > 16);
}

/** Check code to verdict. */
function verdictsOn(bundle: Uint8Array): Readonly<Record<string, string>> {
  const report = reportOn(bundle, trustPolicy(prepareUnit(unit.dataDir), undefined));
  return Object.fromEntries(report.checks.map(({ code, verdict }) => [code, verdict]));
}

const CUSTODY_CHUNKS = 2;

test('no file has ciphertext of the span, or what was sealed to the owner before', async () => {
  // While somebody has the index open, its log outlives the agent, as after a kill.
  const idle = new Database(join(unit.dataDir, 'spool/index.db'));
  idle.prepare('SELECT count(*) FROM chunk').get();
  await unit.record(2);
  const end = (await unit.shown('owner')).at(-1) ?? 0;
  const sealed = sealedRootsOfUnit(unit.dataDir).map((row) => row.sealed);
  const before = { bodies: bodiesOf(0, end), journal: journalBodies(), sealed };
  expect(before.journal.length).toBeGreaterThan(0);
  expect(filesWith(before.bodies)).toEqual(['spool/segments/00000000.seg']);
  expect(filesWith(before.journal)).toContain('spool/journal');
  expect(filesWith(before.sealed)).toContain('spool/index.db');
  expect(statSync(join(unit.dataDir, 'spool/index.db-wal')).size).toBeGreaterThan(0);
  unit.erase(await unit.order(0, end));
  expect(statSync(join(unit.dataDir, 'spool/index.db-wal')).size).toBe(0);
  expect(filesWith([...before.bodies, ...before.journal, ...before.sealed])).toEqual([]);
  idle.close();
  expect(await unit.shown('owner')).toEqual([]);
  await unit.record(1);
  expect((await unit.shown('unit'))[0]).toBeGreaterThan(end);
});

test('what was not erased is proven as before, and so is what was exported before', async () => {
  const earlier = exportFromUnit(unit.dataDir, {}, () => undefined);
  const all = await unit.shown('unit');
  unit.erase(await unit.order(2, 3));
  expect(await unit.shown('unit')).toEqual(all.filter((seq) => seq !== 2 && seq !== 3));
  const stream = exportFromUnit(
    unit.dataDir,
    { fromSeq: 4, toSeq: 6, streams: new Set(['raw/can0/123']) },
    () => undefined,
  );
  const whole = exportFromUnit(unit.dataDir, { roots: await unit.roots() }, () => undefined);
  for (const bundle of [earlier, stream, whole]) {
    const verdicts = verdictsOn(bundle);
    for (const code of [
      'BUNDLE',
      'DEVICE',
      'STATEMENT',
      'HEADER_SIGNATURE',
      'HEADER_CHAIN',
      'LEAVES',
    ]) {
      expect([code, verdicts[code]]).toEqual([code, 'PASSED']);
    }
    expect(Object.values(verdicts)).not.toContain('FAILED');
  }
});

test('custody records outlive the chunks that they lie in, for the unit, for its owner and for a stranger', async () => {
  const end = (await unit.shown('unit')).at(-1) ?? 0;
  const before = unit.custody();
  const places = await unit.shown('unit', 'records/custody');
  expect(before).toHaveLength(2);
  unit.erase(await unit.order(0, end));
  // Erased once more, from what is left.
  unit.erase(await unit.order(0, 5));
  expect(unit.custody()).toEqual(before);
  for (const by of ['unit', 'owner'] as const) {
    expect(await unit.shown(by)).toEqual([]);
    expect(await unit.shown(by, 'records/custody')).toHaveLength(CUSTODY_CHUNKS);
    expect(await unit.shown(by, GRANT_STREAM)).toHaveLength(1);
    expect(await unit.shown(by, 'records/state')).toEqual([]);
  }
  expect(places).toEqual(
    expect.arrayContaining([...(await unit.shown('unit', 'records/custody'))]),
  );
  await unit.record(2);
  const actions = unit.custody().map(({ action }) => action);
  expect(actions).toEqual(['disclosed', 'disclosed', 'erased', 'erased']);
  const bundle = exportFromUnit(unit.dataDir, {}, () => undefined);
  const verdicts = verdictsOn(bundle);
  expect(verdicts).toMatchObject({ LEAVES: 'PASSED', CUSTODY: 'PASSED', HEADER_CHAIN: 'PASSED' });
  expect(Object.values(verdicts)).not.toContain('FAILED');
});

test('and so they do in an ended epoch, where only the old owner opens anything', async () => {
  const end = (await unit.shown('unit')).at(-1) ?? 0;
  const ended = await unit.handOver();
  const order = await unit.orderIn(ended, 0, end);
  unit.eraseIn(ended, order);
  const roots = await unit.roots(ended);
  const raw = shownIn(ended, roots, 'raw/can0/123');
  expect(raw.every((seq) => seq > end)).toBe(true);
  expect(shownIn(ended, roots, 'records/custody').length).toBeGreaterThanOrEqual(CUSTODY_CHUNKS);
  const ofGrant = shownIn(ended, roots, GRANT_STREAM).filter((seq) => seq <= end);
  expect(ofGrant).toHaveLength(1);
  // Of raw streams a copy from before opens nothing with them either.
  expect(shownIn(recorded.dataDir, roots, 'raw/can0/123')).toEqual([]);
});
