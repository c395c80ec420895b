/** Waits for what becomes true by itself; a test that waits in vain ends by its own time limit. */
import { setTimeout as sleep } from 'node:timers/promises';

export async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await sleep(5);
}
