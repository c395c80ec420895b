/** Waits for a state of the kernel that nothing announces. */
import { setTimeout as sleep } from 'node:timers/promises';

/** @throws Error when it does not hold within a time that no slow machine needs */
export async function until(what: string, holds: () => boolean, withinMs = 60_000): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`waited ${withinMs} ms for: ${what}`);
    await sleep(10);
  }
}
