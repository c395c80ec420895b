/** A number that somebody typed behind an option. */
import { UserError } from '../core/errors.ts';

/** @throws UserError ARGUMENTS */
export function toNumber(option: string, text: string, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= most) return value;
  throw new UserError('ARGUMENTS', `expected ${option} to be a number, got "${text}"`);
}

/** Of a chunk. @throws UserError ARGUMENTS */
export function toSeq(option: string, text: string): number {
  return toNumber(option, text, 0xffff_ffff);
}
