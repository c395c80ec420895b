/**
 * The driver's pause: a file in the unit's data folder that is there while nothing is to be recorded.
 * Implements spec/configuration.md, "Pause".
 */
import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { syncFolder } from '../folder.ts';
import { keepFile } from '../kept-file.ts';
import type { Pause } from '../ports.ts';
import { storageError } from '../storage-error.ts';

const PAUSED = 'paused';
/** Whoever may look at the unit may see that it is paused. */
const FOR_ALL_TO_READ = 0o644;
const MAX_REASON_CHARACTERS = 200;

export function pausePath(dataDir: string): string {
  return join(dataDir, PAUSED);
}

/**
 * Durable when it returns: an agent that runs, and any that starts, records nothing until it is over. One that is there
 * is replaced.
 * @throws OperationalError STORAGE_*
 */
export function writePause(dataDir: string, pause: Pause): void {
  const reason = pause.reason.slice(0, MAX_REASON_CHARACTERS);
  const text = `${JSON.stringify({ sinceMs: pause.sinceMs, untilMs: pause.untilMs ?? null, reason })}\n`;
  keepFile(dataDir, PAUSED, text, FOR_ALL_TO_READ);
}

/** Durable when it returns. @returns whether there was one. @throws OperationalError STORAGE_* */
export function endPause(dataDir: string): boolean {
  try {
    const wasPaused = statSync(pausePath(dataDir), { throwIfNoEntry: false }) !== undefined;
    rmSync(pausePath(dataDir), { force: true });
    syncFolder(dataDir);
    return wasPaused;
  } catch (cause) {
    throw storageError(cause);
  }
}

/**
 * A file that cannot be read as one pauses all the same, until it is removed: whoever put it there wanted that.
 * @returns undefined without a file
 */
export function readPause(dataDir: string): Pause | undefined {
  const path = pausePath(dataDir);
  const found = modifiedMs(path);
  if (found === undefined) return undefined;
  const bare = { sinceMs: found, untilMs: undefined, reason: '' };
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof value !== 'object' || value === null) return bare;
    const { sinceMs, untilMs, reason } = value as Record<string, unknown>;
    return {
      sinceMs: Number.isSafeInteger(sinceMs) ? Number(sinceMs) : bare.sinceMs,
      untilMs: Number.isSafeInteger(untilMs) ? Number(untilMs) : undefined,
      reason: typeof reason === 'string' ? reason.slice(0, MAX_REASON_CHARACTERS) : '',
    };
  } catch {
    return bare;
  }
}

/** None where no file is, or none that this user could see. */
function modifiedMs(path: string): number | undefined {
  try {
    return Math.round(statSync(path).mtimeMs);
  } catch {
    return undefined;
  }
}
