/** Writes a file so that its name never stands for a part of it, not even after a power cut. */
import { mkdirSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { OperationalError } from '../../core/errors.ts';

/**
 * The bytes are on the disk before the name is, and the name before this returns. A kill in between leaves a
 * `.part` file that the next write of this name replaces.
 * @throws OperationalError PUBLISH_UNWRITABLE (retryable)
 */
export async function writeDurably(
  folder: string,
  name: string,
  content: Uint8Array | string | AsyncIterable<Uint8Array>,
): Promise<void> {
  const path = join(folder, name);
  const part = `${path}.part`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    const file = await open(part, 'w', 0o644);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    // What the content comes from may fail as well, such as the store: that is no folder that waiting can heal.
    if ((cause as { syscall?: unknown }).syscall === undefined) throw cause;
    throw new OperationalError('PUBLISH_UNWRITABLE', `${path} cannot be written`, {
      retryable: true,
      cause,
    });
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
