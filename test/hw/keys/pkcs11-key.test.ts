/** Device keys in a token: which of its keys is taken, and which never. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha256 } from '../../../core/hash.ts';
import { verifyDigest } from '../../../core/signature.ts';
import { findKeys, isUnreadable } from '../../../hw/keys/pkcs11-objects.ts';
import { codeOf } from '../../agent/support/coded-error.ts';
import { type TemporaryFolder, temporaryFolder } from '../../agent/support/temporary-folder.ts';
import { KEY_LABEL, keyInToken } from './support/kept-keys.ts';

const DIGEST = sha256(Uint8Array.of(7));

let folder: TemporaryFolder;
let kept: Awaited<ReturnType<typeof keyInToken>>;

beforeEach(async () => {
  folder = temporaryFolder();
  kept = await keyInToken(folder.path, 'ES256');
});
afterEach(() => folder[Symbol.dispose]());

const create = (): string => codeOf(() => kept.store().create(kept.path));
const idInFile = (): string => /^id (\w+)$/m.exec(readFileSync(kept.path, 'utf8'))?.[1] ?? '';

test('a kill between token and file leaves a key, which the next start takes', () => {
  kept.store().create(kept.path);
  const before = kept.store().open(kept.path).key;
  rmSync(kept.path);
  kept.store().create(kept.path);
  expect(kept.store().open(kept.path).key).toEqual(before);
});

test('a key that was put there beforehand is taken, and no key of another label', () => {
  kept.token.makeKey('0a', '--label', 'another', '--sensitive');
  kept.token.makeKey('0b', '--label', KEY_LABEL, '--sensitive');
  kept.token.makeKey('0c', '--label', `${KEY_LABEL}1`, '--sensitive');
  kept.store().create(kept.path);
  expect(idInFile()).toBe('0b');
  const { key, sign } = kept.store().open(kept.path);
  expect(verifyDigest(key, DIGEST, sign(DIGEST))).toBe(true);
});

test('of two keys of the label none is taken', () => {
  kept.token.makeKey('0a', '--label', KEY_LABEL, '--sensitive');
  kept.token.makeKey('0b', '--label', KEY_LABEL, '--sensitive');
  expect(create()).toBe('SIGNER_KEY_AMBIGUOUS');
  expect(existsSync(kept.path)).toBe(false);
});

test('a key that can be read out of the token is not taken: the enrolment would not be true', () => {
  kept.token.makeKey('0a', '--label', KEY_LABEL, '--extractable');
  expect(create()).toBe('SIGNER_KEY_READABLE');
  expect(existsSync(kept.path)).toBe(false);
});

test('a key on another curve is not taken', () => {
  kept.token.tool(
    ...['--keypairgen', '--key-type', 'EC:secp256k1', '--usage-sign', '--sensitive'],
    ...['--id', '0a', '--label', KEY_LABEL],
  );
  expect(create()).toBe('SIGNER_ANSWER');
});

test('another key under the same id is foreign', () => {
  kept.store().create(kept.path);
  const id = idInFile();
  kept.token.deleteKey(id);
  kept.token.makeKey(id, '--label', KEY_LABEL, '--sensitive');
  expect(codeOf(() => kept.store().open(kept.path).sign(DIGEST))).toBe('DEVICE_KEY_FOREIGN');
});

test('keys that we make have ids of their own and can never be read', () => {
  const ids = Array.from({ length: 3 }, () => {
    rmSync(kept.path, { force: true });
    kept.loseKey();
    kept.store().create(kept.path);
    return idInFile();
  });
  expect(new Set(ids).size).toBe(3);
  const list = Buffer.from(kept.token.tool('--list-objects', '--type', 'privkey'));
  expect(findKeys(list, KEY_LABEL).map(isUnreadable)).toEqual([true]);
});

const objects = (): readonly string[] =>
  [...kept.token.tool('--list-objects').matchAll(/ID: +(\w+)/g)].map(([, id = '']) => id);

test('a key that is destroyed is gone from the token with its public half, and no other is', () => {
  kept.token.makeKey('0a', '--label', 'another', '--sensitive');
  kept.store().create(kept.path);
  kept.store().destroy(kept.path);
  expect(objects()).toEqual(['0a', '0a']);
});

test.each(['privkey', 'pubkey'])(
  'a kill that left only the other half of %s costs nothing',
  (half) => {
    kept.store().create(kept.path);
    kept.token.tool('--delete-object', '--type', half, '--id', idInFile());
    kept.store().destroy(kept.path);
    expect(objects()).toEqual([]);
    expect(existsSync(kept.path)).toBe(false);
  },
);

test('while the token is away its key cannot be destroyed, and the file stays that says which it is', () => {
  kept.store().create(kept.path);
  const before = readFileSync(kept.path);
  kept.token.unplug();
  expect(codeOf(() => kept.store().destroy(kept.path))).toBe('SIGNER_UNAVAILABLE');
  expect(readFileSync(kept.path)).toEqual(before);
  kept.token.plug();
  kept.store().destroy(kept.path);
  expect(objects()).toEqual([]);
});

test('a list is read object by object', () => {
  const list = [
    'Private Key Object; EC',
    '  label:      one',
    '  ID:         0102',
    '  Usage:      sign',
    '  Access:     sensitive, always sensitive, never extractable, local',
    'Private Key Object; EC',
    '  ID:         03',
    '  label:      two',
    '  Access:     sensitive, local',
    'Private Key Object; RSA ',
    '  label:      two',
    '  ID:         ',
    'Private Key Object; EC',
    '  label:      two',
    '  ID:         04',
    '',
  ].join('\n');
  const found = (label: string) => findKeys(Buffer.from(list), label);
  expect(found('one').map(({ id }) => id)).toEqual(['0102']);
  expect(found('one').map(isUnreadable)).toEqual([true]);
  expect(found('two').map(({ id }) => id)).toEqual(['03', '04']);
  expect(found('two').map(isUnreadable)).toEqual([false, false]);
  expect(found('on')).toEqual([]);
});
