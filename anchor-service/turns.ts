/** Long work in slices, so that the beat of the lease and the vehicles come between. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** @param work stops by itself after some milliseconds; after each stop whatever else waits in this process is done first */
export async function inTurns<T>(work: Generator<undefined, T>): Promise<T> {
  for (let step = work.next(); ; step = work.next()) {
    if (step.done === true) return step.value;
    await nextTurn();
  }
}
