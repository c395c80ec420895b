/**
 * What the data folder keeps of a device key: the key itself, or how to find it where it is kept.
 * Implements spec/spool.md, "Device key".
 */
import { existsSync } from 'node:fs';
import { fromHex, toHex } from '../../core/bytes.ts';
import { FormatError, UserError } from '../../core/errors.ts';
import { type Algorithm, keyId, type PublicKey } from '../../core/signature.ts';
import { createPrivateFile, readPrivateFile } from './key-file.ts';

/** Above what a TPM gives for a key, below what anybody would read. */
const MAX_FIELD_BYTES = 1024;

/** How a file begins: kind of keeper and algorithm. */
const HEAD = /^witnessmark device-key (ES256K|ES256)(?: (tpm|pkcs11))? v0\n/;

export type DeviceKeyKind = 'file' | 'tpm' | 'pkcs11';

/**
 * @returns the whole text
 * @throws UserError KEY_FILE_MISSING, KEY_FILE_PERMISSIONS, KEY_FILE_MALFORMED; DEVICE_KEY_KIND when the key is
 * elsewhere than the configuration says
 */
export function readDeviceKeyText(path: string, kind: DeviceKeyKind): string {
  const text = readPrivateFile(path);
  const head = HEAD.exec(text);
  if (head === null) throw malformed(path);
  const found = head[2] ?? 'file';
  if (found === kind) return text;
  throw new UserError(
    'DEVICE_KEY_KIND',
    `the unit has a device key of kind "${found}" in ${path}, and not "${kind}" as [device_key] of the configuration says`,
  );
}

/**
 * What `read` finds in the file at `path`; undefined when the file is not there or says nothing whole. One that is being destroyed
 * is written over in place, so a power cut leaves it empty or half itself: what it told of is gone by then.
 * @throws UserError KEY_FILE_PERMISSIONS, DEVICE_KEY_KIND
 */
export function readUnlessDestroyed<T>(path: string, read: (path: string) => T): T | undefined {
  if (!existsSync(path)) return undefined;
  try {
    return read(path);
  } catch (error) {
    if (error instanceof UserError && error.code === 'KEY_FILE_MALFORMED') return undefined;
    throw error;
  }
}

/** Of a key that is not in the file. */
export type KeyDescription<Name extends string> = {
  readonly key: PublicKey;
  readonly fields: Readonly<Record<Name, Uint8Array>>;
};

/** Durable, and never over another. @throws OperationalError KEY_FILE_CREATE */
export function createKeyDescription(
  path: string,
  kind: DeviceKeyKind,
  { key, fields }: KeyDescription<string>,
): void {
  const lines = Object.entries({ key: key.bytes, ...fields }).map(
    ([name, bytes]) => `${name} ${toHex(bytes)}\n`,
  );
  createPrivateFile(path, `witnessmark device-key ${key.algorithm} ${kind} v0\n${lines.join('')}`);
}

/** @param names of the fields behind the key, in this order @throws as `readDeviceKeyText` */
export function readKeyDescription<const Name extends string>(
  path: string,
  kind: DeviceKeyKind,
  names: readonly Name[],
): KeyDescription<Name> {
  const text = readDeviceKeyText(path, kind);
  const algorithm = HEAD.exec(text)?.[1] as Algorithm;
  const lines = text.split('\n');
  if (lines.length !== names.length + 3 || lines.at(-1) !== '') throw malformed(path);
  const [bytes, ...values] = ['key', ...names].map((name, i) =>
    readField(path, name, lines[i + 1] ?? ''),
  );
  const key = { algorithm, bytes: bytes ?? new Uint8Array(0) };
  try {
    keyId(key);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw malformed(path);
  }
  const fields = Object.fromEntries(names.map((name, i) => [name, values[i]]));
  return { key, fields: fields as Record<Name, Uint8Array> };
}

function readField(path: string, name: string, line: string): Uint8Array {
  const [found, hex = '', ...rest] = line.split(' ');
  const isHex = /^([0-9a-f]{2})+$/.test(hex) && hex.length <= 2 * MAX_FIELD_BYTES;
  if (found !== name || !isHex || rest.length > 0) throw malformed(path);
  return fromHex(hex);
}

function malformed(path: string): UserError {
  return new UserError('KEY_FILE_MALFORMED', `expected ${path} to hold a device key`);
}
