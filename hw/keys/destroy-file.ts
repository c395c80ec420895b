/**
 * Takes a secret off the disk as far as a file can be taken: written over, made durable, and then its name. Flash and
 * file systems that copy on write may keep what was there (SECURITY.md, "Keys").
 */
import { closeSync, fstatSync, fsyncSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { OperationalError } from '../../core/errors.ts';
import { nativeRandom } from '../crypto/native-random.ts';

/** Nothing where the file is not there. @throws OperationalError KEY_FILE_DESTROY */
export function destroyFile(path: string): void {
  try {
    const descriptor = openSync(path, 'r+');
    try {
      const { size } = fstatSync(descriptor);
      writeSync(descriptor, nativeRandom(size), 0, size, 0);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    unlinkSync(path);
    syncDirectory(dirname(path));
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'ENOENT') return;
    throw new OperationalError('KEY_FILE_DESTROY', `the key file ${path} cannot be destroyed`, {
      retryable: false,
      cause,
    });
  }
}

function syncDirectory(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
