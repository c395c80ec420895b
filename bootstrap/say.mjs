// One line for a person, on standard error: standard output belongs to the program that is started.

import { writeSync } from 'node:fs';

/**
 * Synchronous, and without touching process.stderr: its state would be handed to the program that follows.
 * @param {string} line
 */
export function say(line) {
  writeSync(2, `${line}\n`);
}
