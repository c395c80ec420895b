import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createKeyFile, destroyKeyFile, readKeyFile } from '../../../hw/keys/key-file.ts';
import { codeOf } from '../../agent/support/coded-error.ts';
import { type TemporaryFolder, temporaryFolder } from '../../agent/support/temporary-folder.ts';

const PURPOSE = 'device-key ES256K';
const SECRET = Uint8Array.from({ length: 32 }, (_, i) => i * 7);

let folder: TemporaryFolder;
const path = () => join(folder.path, 'device.key');

beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

test('a key file gives its secret back, and only its owner may read it', () => {
  createKeyFile(path(), PURPOSE, SECRET);
  expect(readKeyFile(path(), PURPOSE)).toEqual(SECRET);
  expect(statSync(path()).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder.path)).toEqual(['device.key']);
});

test('a key file is never written over', () => {
  createKeyFile(path(), PURPOSE, SECRET);
  const before = readFileSync(path());
  expect(codeOf(() => createKeyFile(path(), PURPOSE, new Uint8Array(32)))).toBe('KEY_FILE_CREATE');
  expect(readFileSync(path()).equals(before)).toBe(true);
});

test('what a killed attempt left is taken away, with the mode that it had', () => {
  writeFileSync(`${path()}.new`, 'half a ke', { mode: 0o644 });
  chmodSync(`${path()}.new`, 0o644);
  createKeyFile(path(), PURPOSE, SECRET);
  expect(statSync(path()).mode & 0o777).toBe(0o600);
  expect(readKeyFile(path(), PURPOSE)).toEqual(SECRET);
});

test('a key file cannot be made where there is no folder', () => {
  expect(codeOf(() => createKeyFile(join(folder.path, 'a/b'), PURPOSE, SECRET))).toBe(
    'KEY_FILE_CREATE',
  );
});

test('a key file is overwritten before its name goes, and may be gone already', () => {
  createKeyFile(path(), PURPOSE, SECRET);
  const other = join(folder.path, 'another name');
  linkSync(path(), other);
  const before = readFileSync(other);
  destroyKeyFile(path());
  expect(readdirSync(folder.path)).toEqual(['another name']);
  const after = readFileSync(other);
  expect(after).toHaveLength(before.length);
  expect(after.includes(before.subarray(-20))).toBe(false);
  destroyKeyFile(path());
  mkdirSync(path());
  expect(codeOf(() => destroyKeyFile(path()))).toBe('KEY_FILE_DESTROY');
});

describe('reading refuses', () => {
  test('a file that is not there', () => {
    expect(codeOf(() => readKeyFile(path(), PURPOSE))).toBe('KEY_FILE_MISSING');
  });

  test.each([0o640, 0o604, 0o660, 0o610, 0o601, 0o777])('mode %o, which lets others in', (mode) => {
    createKeyFile(path(), PURPOSE, SECRET);
    chmodSync(path(), mode);
    expect(codeOf(() => readKeyFile(path(), PURPOSE))).toBe('KEY_FILE_PERMISSIONS');
  });

  test('a key that was made for something else', () => {
    createKeyFile(path(), PURPOSE, SECRET);
    expect(codeOf(() => readKeyFile(path(), 'storage-key'))).toBe('KEY_FILE_MALFORMED');
  });

  const whole = `witnessmark ${PURPOSE} v0\n${'0a'.repeat(32)}\n`;
  test.each([
    ['nothing', ''],
    ['a cut file', whole.slice(0, 40)],
    ['a missing last line feed', whole.slice(0, -1)],
    ['a line too many', `${whole}\n`],
    ['31 bytes', whole.replace('0a', '')],
    ['digits that are none', whole.replace('0a', '0g')],
    ['upper case', whole.replace('0a', '0A')],
    ['carriage returns', whole.replaceAll('\n', '\r\n')],
    ['another version', whole.replace(' v0', ' v1')],
  ])('%s', (_, text) => {
    writeFileSync(path(), text, { mode: 0o600 });
    expect(codeOf(() => readKeyFile(path(), PURPOSE))).toBe('KEY_FILE_MALFORMED');
  });

  test('a folder', () => {
    mkdirSync(path(), { mode: 0o700 });
    expect(codeOf(() => readKeyFile(path(), PURPOSE))).toBe('KEY_FILE_MISSING');
  });
});

test('no message shows a secret', () => {
  createKeyFile(path(), PURPOSE, SECRET);
  const hex = Buffer.from(SECRET).toString('hex');
  writeFileSync(path(), readFileSync(path(), 'utf8').replace('v0', 'v9'));
  try {
    readKeyFile(path(), PURPOSE);
  } catch (error) {
    expect(JSON.stringify([String(error), error])).not.toContain(hex.slice(0, 16));
  }
});
