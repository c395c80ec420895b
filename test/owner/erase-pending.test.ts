/** Orders to erase that were not carried out to their end, and what comes before them, behind them and over them. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { toHex } from '../../core/bytes.ts';
import {
  decodeErasureNotice,
  decodeErasureOrder,
  verifyErasureNotice,
} from '../../core/erasure-order.ts';
import { sha256 } from '../../core/hash.ts';
import { codeOf } from '../agent/support/coded-error.ts';
import { type TemporaryFolder, temporaryFolder } from '../agent/support/temporary-folder.ts';
import { LiveOwnedUnit, shownIn } from './support/live-owned-unit.ts';

let folder: TemporaryFolder;
/** Has ten chunks, and no agent runs. */
let recorded: LiveOwnedUnit;
let unit: LiveOwnedUnit;
let count = 0;

beforeAll(async () => {
  folder = temporaryFolder();
  recorded = await LiveOwnedUnit.make(join(folder.path, 'recorded'));
  await recorded.record(10);
});
afterAll(() => folder[Symbol.dispose]());

beforeEach(() => {
  count += 1;
  unit = recorded.copy(join(folder.path, `${count}`));
});

const erasureFolder = (...more: readonly string[]) => join(unit.dataDir, 'erasure', ...more);
const nameOf = (order: Uint8Array) => `${toHex(sha256(order))}.wmx`;

/** What the owner's roots of this unit open of the unit as it was before anything was erased. */
async function openedOfOld(): Promise<readonly number[]> {
  return shownIn(recorded.dataDir, await unit.roots(), 'raw/can0/123');
}

function inIndex<T>(work: (database: Database.Database) => T): T {
  const database = new Database(join(unit.dataDir, 'spool/index.db'));
  try {
    return work(database);
  } finally {
    database.close();
  }
}

test('an order that a kill left is finished before a later one, and brings nothing back at a start', async () => {
  unit.eraseUntil(await unit.order(2, 3), 'bodies-overwritten');
  unit.erase(await unit.order(5, 5));
  await unit.record(1);
  const opened = await openedOfOld();
  expect(opened).toContain(4);
  for (const gone of [2, 3, 5]) expect(opened).not.toContain(gone);
  expect(readdirSync(erasureFolder('done'))).toHaveLength(2);
});

test('an order that was made before one that a kill left is refused, and that one is carried out', async () => {
  const first = await unit.order(2, 2);
  const second = await unit.order(5, 5);
  unit.eraseUntil(first, 'erasure-kept');
  expect(codeOf(() => unit.erase(second))).toBe('ERASURE_ROOTS');
  const shown = await unit.shown('owner');
  expect(shown).not.toContain(2);
  expect(shown).toContain(5);
});

test('an older order that comes back from a copy is refused, and so is one of another owner', async () => {
  const first = await unit.order(2, 2);
  unit.erase(await unit.order(5, 5));
  const stranger = await LiveOwnedUnit.make(join(folder.path, 'stranger'));
  await stranger.record(2);
  const foreign = await stranger.order(0, 0);
  for (const order of [first, foreign]) writeFileSync(erasureFolder(nameOf(order)), order);
  await unit.record(1);
  expect(await openedOfOld()).not.toContain(5);
  const codes = [first, foreign].map(
    (order) =>
      readFileSync(erasureFolder('refused', `${nameOf(order)}.code`), 'utf8').split(':')[0],
  );
  expect(codes).toEqual(['ERASURE_ROOTS', 'ERASURE_FOREIGN']);
  // The owner's word stays, without the roots: those would open what the other order took.
  const kept = decodeErasureNotice(readFileSync(erasureFolder('refused', nameOf(first))));
  expect(verifyErasureNotice(kept)).toBe('verified');
});

test('what stays of an order is what its owner signed, and not its roots', async () => {
  const order = await unit.order(2, 3);
  const { order: content } = decodeErasureOrder(order);
  unit.erase(order);
  expect(readdirSync(erasureFolder())).toEqual(['done']);
  const bytes = readFileSync(erasureFolder('done', nameOf(order)));
  const notice = decodeErasureNotice(bytes);
  expect(verifyErasureNotice(notice)).toBe('verified');
  const { roots, ...terms } = content;
  expect(notice.terms).toEqual(terms);
  expect(roots.length).toBeGreaterThan(0);
  for (const { sealed } of roots) expect(bytes.includes(sealed)).toBe(false);
  await unit.record(2);
  const erased = unit.custody().filter(({ action }) => action === 'erased');
  expect(erased).toMatchObject([
    {
      ...{ role: 'owner', spans: content.spans, objectHash: sha256(bytes) },
      purpose: 'the claim is settled',
      detail: 'best_effort; held chunks: kept; copies released before: 0',
    },
  ]);
  // The same order once more changes nothing.
  unit.erase(order);
  await unit.record(2);
  expect(unit.custody().filter(({ action }) => action === 'erased')).toEqual(erased);
});

test('erasing a part of what is erased leaves all of it erased', async () => {
  unit.erase(await unit.order(2, 6));
  unit.erase(await unit.order(2, 3));
  unit.erase(await unit.order(6, 7));
  const shown = await unit.shown('owner');
  expect(shown.slice(0, 3)).toEqual([0, 1, 8]);
});

test('what is left of a hold around the erased chunks stays held', async () => {
  inIndex((database) =>
    database.exec(`INSERT INTO hold (first_chunk, last_chunk, reason) VALUES (1, 8, 'crash');
      INSERT INTO hold (first_chunk, last_chunk, reason) VALUES (4, 5, 'inside')`),
  );
  expect(codeOf(() => unit.erase(Uint8Array.of()))).toBe('CBOR_TRUNCATED');
  unit.erase(await unit.order(3, 5, { held: 'erased' }));
  const holds = inIndex((database) =>
    database.prepare('SELECT first_chunk, last_chunk, reason FROM hold ORDER BY first_chunk').all(),
  );
  expect(holds).toEqual([
    { first_chunk: 1, last_chunk: 2, reason: 'crash' },
    { first_chunk: 6, last_chunk: 8, reason: 'crash' },
  ]);
});

test('while somebody reads the index it is not at its end, says so, and goes on later', async () => {
  const order = await unit.order(2, 3);
  const reader = new Database(join(unit.dataDir, 'spool/index.db'));
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM chunk').get();
  expect(codeOf(() => unit.erase(order))).toBe('SPOOL_BUSY');
  expect(readdirSync(erasureFolder())).toEqual([nameOf(order)]);
  // The keys are gone already; the agent records, and says what is left to do.
  await unit.record(1);
  expect(readdirSync(erasureFolder())).toEqual([nameOf(order)]);
  reader.close();
  await unit.record(1);
  expect(readdirSync(erasureFolder())).toEqual(['done']);
  expect(await unit.shown('owner')).not.toContain(2);
});

test('a folder of orders that is no such folder is told, and nothing is erased', async () => {
  const order = await unit.order(2, 2);
  writeFileSync(erasureFolder(), 'in the way');
  expect(codeOf(() => unit.erase(order))).toMatch(/^STORAGE_/);
  expect(await unit.shown('owner')).toContain(2);
});
