/** The folder of published windows over HTTP: the same bytes under the same names (spec/published-windows.md). */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { isPublishedPath, NEWEST_FILE } from '../../core/published.ts';
import { FORKS_FILE, isForkPath } from '../../core/published-forks.ts';
import { type Answer, IMMUTABLE, refusal } from './answer.ts';

export type PublishedFolder = {
  readonly folder: string;
  /** Whether fork proofs in it are for anybody. */
  readonly forks: boolean;
  /** Of a file that is not there, by its name: whoever writes the folder knows whether it should be. */
  readonly onMissing: (name: string) => void;
};

/** @param name behind /v1/published/; from anybody: what is no such name is compared with nothing on the disk */
export function publishedFile({ folder, forks, onMissing }: PublishedFolder, name: string): Answer {
  if (!isPublishedPath(name) || (isForkPath(name) && !forks)) return refusal(404, 'NOT_FOUND');
  const file = join(folder, name);
  const found = statSync(file, { throwIfNoEntry: false });
  if (found?.isFile() !== true) {
    onMissing(name);
    return refusal(404, 'WINDOW_NOT_PUBLISHED');
  }
  const type = name.endsWith('.json') ? 'application/json' : 'application/octet-stream';
  const isIndex = name === NEWEST_FILE || name === FORKS_FILE;
  const caching = isIndex ? { 'cache-control': 'no-cache' } : IMMUTABLE;
  return {
    code: 200,
    body: { file, bytes: found.size },
    headers: { 'content-type': type, ...caching },
  };
}
