/** Device keys in a TPM: what its own folder and its own TPM have to do with it. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sha256 } from '../../../core/hash.ts';
import { deviceKeyStore } from '../../../hw/keys/device-key-store.ts';
import { codeOf } from '../../agent/support/coded-error.ts';
import { type TemporaryFolder, temporaryFolder } from '../../agent/support/temporary-folder.ts';
import { keyInTpm, type OuterKey } from './support/kept-keys.ts';

const DIGEST = sha256(Uint8Array.of(7));

let folder: TemporaryFolder;
let one: OuterKey;
let other: OuterKey;

beforeAll(async () => {
  folder = temporaryFolder();
  one = await keyInTpm(join(folder.path, 'one'), undefined, false);
  other = await keyInTpm(join(folder.path, 'other'), undefined, false);
  one.store().create(one.path);
});
afterAll(async () => {
  await one.stop();
  await other.stop();
  folder[Symbol.dispose]();
});

test('a copy of the data folder signs nothing elsewhere', () => {
  expect(codeOf(() => other.store().open(one.path).sign(DIGEST))).toBe('SIGNER_KEY_MISSING');
});

test('nothing is left behind a visit, and without room for its files there is none', () => {
  const before = process.env['TMPDIR'];
  const temporary = join(folder.path, 'temporary');
  process.env['TMPDIR'] = temporary;
  try {
    expect(codeOf(() => one.store().open(one.path).sign(DIGEST))).toBe('SIGNER_UNAVAILABLE');
    mkdirSync(temporary);
    one.store().open(one.path).sign(DIGEST);
    expect(readdirSync(temporary)).toEqual([]);
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  }
});

test('a wrapped key with a changed byte is none', () => {
  const path = join(folder.path, 'changed.key');
  const text = readFileSync(one.path, 'utf8');
  const changed = text.replace(/([0-9a-f])\n$/, (_, digit: string) => {
    return `${(Number.parseInt(digit, 16) ^ 1).toString(16)}\n`;
  });
  writeFileSync(path, changed, { mode: 0o600 });
  expect(codeOf(() => one.store().open(path).sign(DIGEST))).toBe('SIGNER_KEY_MISSING');
});

test('the public part of another key does not open with it', () => {
  other.store().create(other.path);
  const path = join(folder.path, 'mixed.key');
  const line = (file: string, name: string): string =>
    readFileSync(file, 'utf8')
      .split('\n')
      .find((each) => each.startsWith(name)) ?? '';
  const text = readFileSync(one.path, 'utf8').replace(
    line(one.path, 'public'),
    line(other.path, 'public'),
  );
  writeFileSync(path, text, { mode: 0o600 });
  expect(codeOf(() => one.store().open(path).sign(DIGEST))).toBe('SIGNER_KEY_MISSING');
});

test('a description that names another public key signs nothing', () => {
  const path = join(folder.path, 'named.key');
  const names = (file: string): string => /^key .*$/m.exec(readFileSync(file, 'utf8'))?.[0] ?? '';
  const text = readFileSync(one.path, 'utf8').replace(names(one.path), names(other.path));
  writeFileSync(path, text, { mode: 0o600 });
  expect(codeOf(() => one.store().open(path).sign(DIGEST))).toBe('SIGNER_ANSWER');
});

test('a parent that the TPM does not have is missed', () => {
  if (one.config.kind !== 'tpm') throw new Error('it is in a TPM');
  const store = deviceKeyStore({ ...one.config, parent: '0x81000099' });
  expect(codeOf(() => store.open(one.path).sign(DIGEST))).toBe('SIGNER_KEY_MISSING');
});
