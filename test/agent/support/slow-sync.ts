/** A disk on which every sync takes longer, for a process of its own. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** @returns what goes before a command, as `command` takes it */
export function slowSync(folder: string, ms: number): readonly string[] {
  const library = join(folder, 'slow-sync.so');
  const source = join(import.meta.dirname, 'slow-sync.c');
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl']);
  return ['env', `LD_PRELOAD=${library}`, `SLOW_SYNC_MS=${ms}`];
}
