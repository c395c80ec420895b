/** UTCTime and GeneralizedTime in the forms that certificates and time stamps have, as ns since 1970. */
import { FormatError } from '../errors.ts';
import { type Der, TAG } from './der.ts';

const NS = 1_000_000_000n;
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Of a certificate: whole seconds (RFC 5280, section 4.1.2.5). @throws FormatError DER_MALFORMED */
export function time(element: Der): bigint {
  if (element.tag === TAG.generalizedTime) return generalizedTime(element);
  const text = textOf(element);
  if (element.tag !== TAG.utcTime || !/^\d{12}Z$/.test(text)) throw malformed();
  return secondsAt(`${Number(text.slice(0, 2)) >= 50 ? '19' : '20'}${text}`) * NS;
}

/** With up to nine digits of a second (RFC 3161, section 2.4.2). @throws FormatError DER_MALFORMED */
export function generalizedTime(element: Der): bigint {
  const text = textOf(element);
  if (element.tag !== TAG.generalizedTime || !/^\d{14}(\.\d{0,8}[1-9])?Z$/.test(text)) {
    throw malformed();
  }
  return secondsAt(text) * NS + BigInt(text.slice(15, -1).padEnd(9, '0'));
}

function textOf({ content }: Der): string {
  return String.fromCharCode(...content.subarray(0, 32));
}

/** Of `YYYYMMDDHHMMSS…` in the Gregorian calendar. */
function secondsAt(text: string): bigint {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = [
    text.slice(0, 4),
    ...(text.slice(4, 14).match(/\d\d/g) ?? []),
  ].map(Number);
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const daysIn = (MONTH_DAYS[month - 1] ?? 0) + (isLeap && month === 2 ? 1 : 0);
  if (day < 1 || day > daysIn || hour > 23 || minute > 59 || second > 59) throw malformed();
  const before = year - 1;
  const days =
    365 * before +
    Math.floor(before / 4) -
    Math.floor(before / 100) +
    Math.floor(before / 400) +
    MONTH_DAYS.slice(0, month - 1).reduce((sum, length) => sum + length, 0) +
    (isLeap && month > 2 ? 1 : 0) +
    (day - 1) -
    719_162; // days before 1970
  return BigInt(days * 86_400 + hour * 3600 + minute * 60 + second);
}

function malformed(): FormatError {
  return new FormatError('DER_MALFORMED', 'expected a time in DER');
}
