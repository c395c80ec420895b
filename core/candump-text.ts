/**
 * The characters of a candump log and what they stand for.
 */
import type { CandumpReason } from './candump-reason.ts';

export const HASH = 0x23;
export const OPEN = 0x28;
export const CLOSE = 0x29;
export const POINT = 0x2e;
export const ZERO = 0x30;
export const COLON = 0x3a;
export const UPPER_R = 0x52;
export const UPPER_T = 0x54;
export const UNDERSCORE = 0x5f;
export const LOWER_R = 0x72;
const TAB = 0x09;
const CR = 0x0d;
const SPACE = 0x20;
const SEMICOLON = 0x3b;

export const NO_DIGIT = 0xff;
/** Value of a hexadecimal digit by its ASCII code. */
export const NIBBLE = new Uint8Array(256).fill(NO_DIGIT);
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16);
  NIBBLE[digit.charCodeAt(0)] = value;
  NIBBLE[digit.toUpperCase().charCodeAt(0)] = value;
}

/** Bit n is set when a CAN FD frame can have n data bytes. */
const FD_LENGTHS_TO_24 = 0x011111ff;
const DROPCOUNT = Uint8Array.from('DROPCOUNT', (letter) => letter.charCodeAt(0));

export function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB;
}

export function isBlankOrCr(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB || byte === CR;
}

/** @param length at most 64 */
export function isFdLength(length: number): boolean {
  if (length >= 32) return length === 32 || length === 48 || length === 64;
  return ((FD_LENGTHS_TO_24 >>> length) & 1) === 1;
}

/** A line without a stamp is counted whatever it says: the record states how far log and frames differ. */
export function reasonWithoutTime(bytes: Uint8Array, at: number): CandumpReason {
  if (bytes[at] === HASH || bytes[at] === SEMICOLON) return 'CANDUMP_COMMENT';
  for (let i = 0; i < DROPCOUNT.length; i++) {
    if (bytes[at + i] !== DROPCOUNT[i]) return 'CANDUMP_TIME';
  }
  return 'CANDUMP_DROPCOUNT';
}
