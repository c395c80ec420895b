/**
 * Gives a bundle its name only when its custody record is durable: a kill in between leaves a record of a bundle that
 * nobody got, never a bundle without one. Implements spec/custody.md, "For the owner".
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { UserError } from '../core/errors.ts';

/** Where a file system knows no links, as on a stick. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];

/**
 * @param leave makes the record durable; what it throws leaves no bundle
 * @returns what `leave` returns
 * @throws UserError OUTPUT when there is such a file, or none can be written
 */
export function writeRecorded<T>(out: string, bundle: Uint8Array, leave: () => T): T {
  if (existsSync(out)) throw output(out, undefined);
  const unnamed = `${out}.unrecorded`;
  try {
    write(out, unnamed, bundle);
    const left = leave();
    name(out, unnamed);
    return left;
  } finally {
    rmSync(unnamed, { force: true });
  }
}

function write(out: string, path: string, bundle: Uint8Array): void {
  try {
    rmSync(path, { force: true });
    const descriptor = openSync(path, 'wx');
    try {
      writeFileSync(descriptor, bundle);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    throw output(out, cause);
  }
}

function name(out: string, unnamed: string): void {
  try {
    linkSync(unnamed, out);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    if (!NO_LINKS.includes(code) || existsSync(out)) throw output(out, cause);
    renameSync(unnamed, out);
  }
  const folder = openSync(dirname(out), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function output(out: string, cause: unknown): UserError {
  return new UserError('OUTPUT', `${out} cannot be written, or is there already`, { cause });
}
