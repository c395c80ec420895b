/**
 * Long computations in slices: a generator that stops every few milliseconds, so that a process with something else to
 * attend to can do it in between, and whoever has nothing else runs it to its end.
 */

/** Hashes, or steps as cheap as one, of a slice: about 5 ms of a slow processor. */
export const SLICE = 2048;

export function atOnce<T>(work: Generator<undefined, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}
