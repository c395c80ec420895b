/** What software is running: a hash over the files of its folders (spec/configuration.md, "Software hash"). */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

/**
 * SHA-256 over `path NUL length NUL content` of every file in `folders`, ascending by path.
 * @param root the folder that paths are relative to
 */
export function softwareHash(root: string, folders: readonly string[]): Uint8Array {
  const hash = createHash('sha256');
  const files = folders
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/')),
    )
    .sort();
  for (const file of files) {
    const content = readFileSync(join(root, file));
    hash.update(`${file}\0${content.length}\0`).update(content);
  }
  return new Uint8Array(hash.digest());
}
