import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readSpoolFacts } from '../../../agent/spool/spool-facts.ts';
import { codeOf } from '../support/coded-error.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts';
import { TestUnit } from '../support/unit.ts';

let folder: TemporaryFolder;

beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

const spool = () => join(folder.path, 'spool');

function change(sql: string): void {
  const database = new Database(join(spool(), 'index.db'));
  database.exec(sql);
  database.close();
}

test('a spool is told in a few numbers, beside the unit that writes it', () => {
  const unit = new TestUnit(folder.path);
  expect(readSpoolFacts(spool())).toMatchObject({
    lastChunk: undefined,
    lastAnchored: undefined,
    oldestMs: undefined,
  });
  unit.addChunk();
  unit.addStatement();
  unit.addStatement();
  unit.addChunk();
  const facts = readSpoolFacts(spool());
  expect(facts).toMatchObject({ unaccepted: 2, unreceipted: 0, holdCount: 0 });
  expect(facts.lastChunk).toMatchObject({ log: 0, seq: 3 });
  expect(facts.bodyBytes).toBeGreaterThan(0);
  expect(facts.oldestMs).toBeLessThan(facts.lastChunk?.endMs ?? 0);
  unit.spool.close();
});

test('what waits for its acceptance and what waits for its receipt are told apart', () => {
  const unit = new TestUnit(folder.path);
  for (let i = 0; i < 3; i++) unit.addStatement();
  unit.spool.close();
  change(`
    INSERT INTO anchored_window VALUES (x'01', x'02', x'03', 1, 1);
    UPDATE statement SET acceptance = x'01' WHERE place <= 1;
    UPDATE statement SET inclusion = x'01', window_hash = x'01' WHERE place = 0;
  `);
  const facts = readSpoolFacts(spool());
  expect(facts).toMatchObject({ unaccepted: 1, unreceipted: 1 });
  expect(facts.lastAnchored).toMatchObject({ log: 0, seq: 0 });
});

test('held chunks are counted, and evicted ones are not', () => {
  const unit = new TestUnit(folder.path);
  for (let i = 0; i < 3; i++) unit.addChunk();
  unit.spool.close();
  const all = readSpoolFacts(spool());
  change(`INSERT INTO hold VALUES (0, 1, 1, 'event');`);
  const held = readSpoolFacts(spool());
  expect(held.holdCount).toBe(1);
  expect(held.heldBytes).toBeGreaterThan(0);
  expect(held.heldBytes).toBeLessThan(held.bodyBytes);
  change(`INSERT OR REPLACE INTO segment VALUES (0, 0, 1);`);
  expect(readSpoolFacts(spool())).toMatchObject({
    bodyBytes: 0,
    oldestMs: undefined,
    lastChunk: all.lastChunk,
  });
});

test('what is no spool is refused by its code', () => {
  expect(codeOf(() => readSpoolFacts(spool()))).toBe('SPOOL_MISSING');
  new TestUnit(folder.path).spool.close();
  change('PRAGMA user_version = 99');
  expect(codeOf(() => readSpoolFacts(spool()))).toBe('SPOOL_NEWER');
});
