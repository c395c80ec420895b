/** The epochs of earlier owners, as they lie in a unit's data folder: `ended/EPOCH/`. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Behind the number while not everything has moved. */
export const UNFINISHED = '.new';

function foldersOf(dataDir: string): readonly string[] {
  const folder = join(dataDir, 'ended');
  return existsSync(folder) ? readdirSync(folder) : [];
}

export function endedFolder(dataDir: string, epoch: number): string {
  return join(dataDir, 'ended', `${epoch}`);
}

/** Ascending. */
export function endedEpochs(dataDir: string): readonly number[] {
  return foldersOf(dataDir)
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

/** Whose move a kill has interrupted. */
export function unfinishedEnd(dataDir: string): number | undefined {
  const name = foldersOf(dataDir).find((one) => one.endsWith(UNFINISHED));
  return name === undefined ? undefined : Number(name.slice(0, -UNFINISHED.length));
}

/** The epoch that a unit without a log is to begin. */
export function nextEpoch(dataDir: string): number {
  return (endedEpochs(dataDir).at(-1) ?? -1) + 1;
}
