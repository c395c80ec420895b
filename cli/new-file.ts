/** Files that a command is given, and files that it makes and never writes over. */
import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { UserError } from '../core/errors.ts';

/** @throws UserError FILE_UNREADABLE */
export function readGiven(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new UserError('FILE_UNREADABLE', `${path} cannot be read`, { cause });
  }
}

/** @throws UserError OUTPUT */
export function writeNew(path: string, content: Uint8Array): void {
  try {
    writeFileSync(path, content, { flag: 'wx', flush: true });
  } catch (cause) {
    throw new UserError('OUTPUT', `${path} cannot be written, or is there already`, { cause });
  }
}

/** Whole under its name or not there. @throws UserError OUTPUT */
export function writeNewWhole(path: string, content: Uint8Array): void {
  const unfinished = `${path}.new`;
  try {
    writeFileSync(unfinished, content, { flush: true });
    linkSync(unfinished, path);
    rmSync(unfinished);
  } catch (cause) {
    throw new UserError('OUTPUT', `${path} cannot be written, or is there already`, { cause });
  }
}

/** Before anything is done that only makes sense with it. @throws UserError OUTPUT */
export function assertNew(path: string): void {
  if (existsSync(path)) throw new UserError('OUTPUT', `${path} is there already`);
}

/** @throws UserError ARGUMENTS */
export function need(value: string | undefined, what: string): string {
  if (value !== undefined) return value;
  throw new UserError('ARGUMENTS', `expected ${what}`);
}
