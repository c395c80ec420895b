/** Disks that are full or cannot be written: real ones for root, the nearest thing for anybody else. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

export const IS_ROOT = process.getuid?.() === 0;

/**
 * Runs a program of the tests with mounts of its own, which end with it; a user without rights is root in there.
 * @returns what it printed
 */
export function inOwnMounts(program: string, ...args: readonly string[]): unknown {
  const own = IS_ROOT ? ['--mount'] : ['--mount', '--map-root-user'];
  const command = [...own, process.execPath, program, ...args];
  return JSON.parse(execFileSync('unshare', command, { encoding: 'utf8' }));
}

/** A file system of its own, for root. */
export function mountSmallDisk(
  folder: string,
  megabytes: number,
): Disposable & {
  readonly path: string;
  grow(megabytes: number): void;
} {
  const path = join(folder, 'disk');
  mkdirSync(path);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path]);
  return {
    path,
    grow: (size) => execFileSync('mount', ['-o', `remount,size=${size}m`, path]),
    [Symbol.dispose]: () => execFileSync('umount', ['-l', path]),
  };
}

/** Root may write whatever the mode says, so for root the folder is mounted over itself, read-only. */
export function makeReadOnly(path: string): Disposable {
  if (!IS_ROOT) {
    execFileSync('chmod', ['-R', 'a-w', path]);
    return { [Symbol.dispose]: () => execFileSync('chmod', ['-R', 'u+w', path]) };
  }
  execFileSync('mount', ['--bind', path, path]);
  execFileSync('mount', ['-o', 'remount,ro,bind', path]);
  return { [Symbol.dispose]: () => execFileSync('umount', ['-l', path]) };
}
