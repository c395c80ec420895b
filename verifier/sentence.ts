/** Small parts of sentences that several checks share. */
import type { ChunkHeader } from '../core/chunk-header.ts';

/** A chunk by log and seq. */
export function chunkName({ log, seq }: Pick<ChunkHeader, 'log' | 'seq'>): string {
  return `chunk ${log}/${seq}`;
}

/** `1 chunk`, `2 chunks`. */
export function counted(count: number, singular: string, plural: string = `${singular}s`): string {
  return `${grouped(count)} ${count === 1 ? singular : plural}`;
}

/** Digits in groups of three, the same in every locale. */
export function grouped(count: number): string {
  return `${count}`.replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `41 s`, `12 min 5 s`, `3 h 0 min 9 s`. @param seconds decimal text */
export function duration(seconds: string): string {
  const all = BigInt(seconds);
  const [hours, minutes] = [all / 3600n, (all / 60n) % 60n];
  const parts =
    hours > 0n ? [`${hours} h`, `${minutes} min`] : minutes > 0n ? [`${minutes} min`] : [];
  return [...parts, `${all % 60n} s`].join(' ');
}

/** `2026-11-23 03:41:07 UTC`; beyond year 9999 the seconds themselves. */
export function utc(seconds: bigint): string {
  if (seconds < -62_135_596_800n || seconds > 253_402_300_799n) return `${seconds} s since 1970`;
  return `${isoDate(seconds)} ${isoTime(seconds)} UTC`;
}

/** `2026-11-23 03:41:07.300 UTC` of nanoseconds since 1970. */
export function utcMillis(ns: bigint): string {
  const inSecond = ((ns % SECOND_NS) + SECOND_NS) % SECOND_NS;
  const seconds = (ns - inSecond) / SECOND_NS;
  const millis = `${inSecond / 1_000_000n}`.padStart(3, '0');
  return utc(seconds).replace(' UTC', `.${millis} UTC`);
}

const SECOND_NS = 1_000_000_000n;
const DAY = 86_400n;

function isoTime(seconds: bigint): string {
  const inDay = Number(((seconds % DAY) + DAY) % DAY);
  return [Math.floor(inDay / 3600), Math.floor(inDay / 60) % 60, inDay % 60]
    .map((part) => `${part}`.padStart(2, '0'))
    .join(':');
}

/** Days to a date of the proleptic Gregorian calendar, with years that start in March. */
function isoDate(seconds: bigint): string {
  const days = Number((seconds - (((seconds % DAY) + DAY) % DAY)) / DAY) + 719_468;
  const era = Math.floor(days / 146_097);
  const dayOfEra = days - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const month = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * month + 2) / 5) + 1;
  const calendarMonth = month < 10 ? month + 3 : month - 9;
  const year = yearOfEra + era * 400 + (calendarMonth <= 2 ? 1 : 0);
  return [`${year}`.padStart(4, '0'), pad2(calendarMonth), pad2(day)].join('-');
}

function pad2(value: number): string {
  return `${value}`.padStart(2, '0');
}
