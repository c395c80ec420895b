/** Where something stands in the logs of a device key: one integer for (log, number), ascending like the pair. */
import { MAX_SEQ } from '../../core/vehicle-log.ts';

const NUMBERS = MAX_SEQ + 1;
/** So that a place stays a safe integer. */
const MAX_LOG = 2 ** 20;

export function placeOf(log: number, number: number): number {
  const fits = log >= 0 && log <= MAX_LOG && number >= 0 && number <= MAX_SEQ;
  if (!fits) throw new RangeError(`no place for ${number} of log ${log}`);
  return log * NUMBERS + number;
}

export function logOf(place: number): number {
  return Math.floor(place / NUMBERS);
}

export function numberOf(place: number): number {
  return place % NUMBERS;
}
