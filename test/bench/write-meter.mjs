// Says which of the agent's parts had the device write how much, by the kernel's own count.
// The agent writes and syncs in its only JavaScript thread, so what the count grows by during a call is the call's.

import fs, { readFileSync, readlinkSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

/** @returns {number} */
export function deviceWriteBytes() {
  const text = readFileSync('/proc/self/io', 'latin1');
  /** @param {string} name */
  const count = (name) => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  return count('write_bytes') - count('cancelled_write_bytes');
}

/**
 * Before the agent is loaded: its imports of `node:fs` are those of this moment on.
 * @param {(path: string) => string | undefined} partOf which part a file belongs to
 * @returns {ReadonlyMap<string, number>} bytes by part, as they grow
 */
export function meterWrites(partOf) {
  const parts = new Map();
  /** @type {{ writeSync: (...args: any[]) => number }} */
  const calls = fs;
  const { writeSync } = calls;
  calls.writeSync = (descriptor, ...rest) => {
    const before = deviceWriteBytes();
    const written = writeSync(descriptor, ...rest);
    const part = partOf(readlinkSync(`/proc/self/fd/${descriptor}`));
    if (part !== undefined) parts.set(part, (parts.get(part) ?? 0) + deviceWriteBytes() - before);
    return written;
  };
  syncBuiltinESMExports();
  return parts;
}
