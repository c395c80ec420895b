import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AgentStatus } from '../../agent/status.ts';
import {
  readStatusFile,
  statusFilePath,
  statusSnapshot,
  writeStatusFile,
} from '../../agent/status-file.ts';
import { codeOf } from './support/coded-error.ts';
import { busyStatus, NOW_MS } from './support/statuses.ts';
import { type TemporaryFolder, temporaryFolder } from './support/temporary-folder.ts';

let folder: TemporaryFolder;

beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

const snapshot = () => statusSnapshot(busyStatus(), NOW_MS, 7);

test('what was written is read, and nothing else is left beside it', () => {
  writeStatusFile(folder.path, statusSnapshot(new AgentStatus(1), 2, 3));
  writeStatusFile(folder.path, snapshot());
  expect(readStatusFile(folder.path)).toEqual(snapshot());
  expect(readdirSync(folder.path)).toEqual(['status.json']);
  expect(statSync(statusFilePath(folder.path)).mode & 0o777).toBe(0o644);
});

test('without a file there is no status', () => {
  expect(readStatusFile(folder.path)).toBeUndefined();
});

test('it has the keys of the specification', () => {
  const page = readFileSync(join(import.meta.dirname, '../../spec/metrics.md'), 'utf8');
  const example = /\{"version":2.*?\}\]\}$/ms.exec(page)?.[0] ?? '';
  writeFileSync(statusFilePath(folder.path), example);
  expect(readStatusFile(folder.path)?.driver).toBe('native');
});

test.each([
  ['no JSON', () => '{'],
  ['a list', () => '[]'],
  ['nothing', () => ''],
  ['null', () => 'null'],
  ['another version', () => JSON.stringify({ ...snapshot(), version: 1 })],
  ['an unknown phase', () => JSON.stringify({ ...snapshot(), phase: 'asleep' })],
  ['one key more', () => JSON.stringify({ ...snapshot(), secret: 1 })],
  ['one key less', () => JSON.stringify({ ...snapshot(), chunks: undefined })],
  ['a text for a number', () => JSON.stringify({ ...snapshot(), pid: '7' })],
  ['a bus that is none', () => JSON.stringify({ ...snapshot(), buses: [{ bus: 'can0' }] })],
  ['buses that are no list', () => JSON.stringify({ ...snapshot(), buses: {} })],
])('a file with %s is refused', (_what, text) => {
  writeFileSync(statusFilePath(folder.path), text());
  expect(codeOf(() => readStatusFile(folder.path))).toBe('STATUS_MALFORMED');
});

test('a file that cannot be read is the world’s fault, not a format’s', () => {
  const path = join(folder.path, 'a-file');
  writeFileSync(path, '');
  expect(codeOf(() => readStatusFile(path))).toBe('STATUS_UNREADABLE');
});
