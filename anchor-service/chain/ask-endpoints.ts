/**
 * Asks endpoints and keeps each one's answer. Where too few answered, only those that failed are asked again: with
 * many calls in a look at the chain, one that starts over at each failure may never come to its end.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { OperationalError } from '../../core/errors.ts';
import { type Endpoint, isWorthAnotherTry } from './json-rpc.ts';

export type Ask<T> = (endpoint: Endpoint) => Promise<T>;

/** Of one endpoint: its answer, or why there is none. */
export type Outcome<T> = { readonly endpoint: Endpoint; readonly outcome: T | OperationalError };

export type Answered<T> = { readonly endpoint: Endpoint; readonly value: T };

/** How often one endpoint is asked the same before a look at the chain is given up; the next look asks again. */
const TRIES = 3;
/** Before each try but the first: an endpoint that has too many requests is not helped by one more at once. */
const PAUSE_MS = 100;

/**
 * All at once, in the order of `endpoints`.
 * @param needed answers, below which those that failed are asked again; 0: nobody is
 */
export async function askEach<T>(
  endpoints: readonly Endpoint[],
  ask: Ask<T>,
  needed = 0,
): Promise<readonly Outcome<T>[]> {
  let outcomes = await Promise.all(endpoints.map(async (each) => await outcomeOf(each, ask)));
  for (let i = 1; i < TRIES && answeredIn(outcomes).length < needed; i++) {
    if (!outcomes.some(({ outcome }) => isWorthAnotherTry(outcome))) break;
    await pause(PAUSE_MS);
    outcomes = await Promise.all(
      outcomes.map(async (each) =>
        isWorthAnotherTry(each.outcome) ? await outcomeOf(each.endpoint, ask) : each,
      ),
    );
  }
  return outcomes;
}

/**
 * One after the other until one answers.
 * @throws the last endpoint's error when none answers
 */
export async function askInTurn<T>(endpoints: readonly Endpoint[], ask: Ask<T>): Promise<T> {
  let left = endpoints;
  let last: unknown;
  for (let i = 0; i < TRIES && left.length > 0; i++) {
    if (i > 0) await pause(PAUSE_MS);
    const again: Endpoint[] = [];
    for (const endpoint of left) {
      const { outcome } = await outcomeOf(endpoint, ask);
      if (!(outcome instanceof OperationalError)) return outcome;
      last = outcome;
      if (isWorthAnotherTry(outcome)) again.push(endpoint);
    }
    left = again;
  }
  throw last;
}

export function answeredIn<T>(outcomes: readonly Outcome<T>[]): readonly Answered<T>[] {
  return outcomes.flatMap(({ endpoint, outcome }) =>
    outcome instanceof OperationalError ? [] : [{ endpoint, value: outcome }],
  );
}

async function outcomeOf<T>(endpoint: Endpoint, ask: Ask<T>): Promise<Outcome<T>> {
  try {
    return { endpoint, outcome: await ask(endpoint) };
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
    return { endpoint, outcome: error };
  }
}
