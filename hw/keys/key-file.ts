/**
 * Secrets in files that only their owner may read: 32 bytes as hexadecimal after a line that says what for.
 * A file is created with its final mode, made durable, and never overwritten but to destroy it.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { fromHex, toHex } from '../../core/bytes.ts';
import { OperationalError, UserError } from '../../core/errors.ts';

const SECRET_BYTES = 32;

/**
 * Durable before the key signs or seals anything, since a key lost after use cannot be made again. The
 * file gets its name only when it is whole: a kill leaves `PATH.new`, which the next attempt takes away.
 * @param purpose such as `device-key ES256K`; a file made for one purpose opens for no other
 * @throws OperationalError KEY_FILE_CREATE, also when the file is there already
 */
export function createKeyFile(path: string, purpose: string, secret: Uint8Array): void {
  createPrivateFile(path, `witnessmark ${purpose} v0\n${toHex(secret)}\n`);
}

/** Any text in a file of that kind. @throws as `createKeyFile` */
export function createPrivateFile(path: string, text: string): void {
  const unfinished = `${path}.new`;
  try {
    // Not written over: what is left of an earlier attempt keeps its mode, and a mode that is too wide.
    rmSync(unfinished, { force: true });
    const descriptor = openSync(unfinished, 'wx', 0o600);
    try {
      writeSync(descriptor, text);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    linkSync(unfinished, path); // and not rename, which would overwrite
    unlinkSync(unfinished);
    syncDirectory(dirname(path));
  } catch (cause) {
    throw new OperationalError('KEY_FILE_CREATE', `the key file ${path} cannot be created`, {
      retryable: false,
      cause,
    });
  }
}

/**
 * Overwritten, synced, and its name taken away; durable when it returns. Flash may keep a copy of what was written over,
 * which nothing here can reach (SECURITY.md, "Keys"). One that is not there is no mistake: a kill may lie in between.
 * @throws OperationalError KEY_FILE_DESTROY
 */
export function destroyKeyFile(path: string): void {
  try {
    const descriptor = openSync(path, 'r+');
    try {
      writeSync(descriptor, randomBytes(fstatSync(descriptor).size), undefined, undefined, 0);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    unlinkSync(path);
    syncDirectory(dirname(path));
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'ENOENT') return;
    const message = `the key file ${path} cannot be destroyed`;
    throw new OperationalError('KEY_FILE_DESTROY', message, { retryable: false, cause });
  }
}

/** @throws UserError KEY_FILE_MISSING, KEY_FILE_PERMISSIONS, KEY_FILE_MALFORMED */
export function readKeyFile(path: string, purpose: string): Uint8Array {
  return parseKeyFile(path, purpose, readPrivateFile(path));
}

/** The text of a file that only its owner may read. @throws UserError KEY_FILE_MISSING, KEY_FILE_PERMISSIONS */
export function readPrivateFile(path: string): string {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (cause) {
    throw new UserError('KEY_FILE_MISSING', `the key file ${path} cannot be read`, { cause });
  }
  try {
    // The mode of what is open, not of what the path named a moment ago.
    const mode = fstatSync(descriptor).mode & 0o777;
    if ((mode & 0o077) !== 0) {
      throw new UserError(
        'KEY_FILE_PERMISSIONS',
        `expected ${path} to be readable by its owner only (mode 600), got mode ${mode.toString(8)}`,
      );
    }
    return readText(path, descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function readText(path: string, descriptor: number): string {
  try {
    return readFileSync(descriptor, 'latin1');
  } catch (cause) {
    throw new UserError('KEY_FILE_MISSING', `the key file ${path} cannot be read`, { cause });
  }
}

function parseKeyFile(path: string, purpose: string, text: string): Uint8Array {
  const [head, hex, end, ...rest] = text.split('\n');
  const wellFormed =
    head === `witnessmark ${purpose} v0` &&
    hex !== undefined &&
    /^[0-9a-f]{64}$/.test(hex) &&
    end === '' &&
    rest.length === 0;
  if (!wellFormed) {
    throw new UserError(
      'KEY_FILE_MALFORMED',
      `expected ${path} to hold a ${purpose} of ${SECRET_BYTES} bytes`,
    );
  }
  return fromHex(hex);
}

function syncDirectory(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
