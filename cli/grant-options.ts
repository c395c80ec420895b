/** Options that the commands about grants share. */
import { fromHex } from '../core/bytes.ts';
import { UserError } from '../core/errors.ts';

/** Unix seconds of a time such as 2026-11-23T03:41:07Z. @throws UserError ARGUMENTS */
export function toSeconds(option: string, text: string): number {
  // Without a zone it would mean another time on another machine.
  const isIso = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)$/.test(text);
  const ms = isIso ? Date.parse(text) : Number.NaN;
  if (Number.isSafeInteger(ms) && ms >= 0) return ms / 1000;
  throw new UserError(
    'ARGUMENTS',
    `expected ${option} as a time with its zone, such as 2026-11-23T03:41:07Z, got "${text}"`,
  );
}

/** @throws UserError ARGUMENTS */
export function toBytes(option: string, text: string, length: number): Uint8Array {
  const digits = text.startsWith('0x') ? text.slice(2) : text;
  if (/^[0-9a-fA-F]*$/.test(digits) && digits.length === 2 * length) return fromHex(digits);
  throw new UserError('ARGUMENTS', `expected ${option} as ${length} bytes in hexadecimal`);
}

/** @throws UserError ARGUMENTS */
export function toCount(option: string, text: string, most = 0xffff_ffff): number {
  const count = Number(text);
  if (/^\d{1,10}$/.test(text) && count <= most) return count;
  throw new UserError('ARGUMENTS', `expected ${option} as a number up to ${most}, got "${text}"`);
}

/** @throws UserError ARGUMENTS */
export function theFile(what: string, positionals: readonly string[]): string {
  const [path] = positionals;
  if (path !== undefined && positionals.length === 1) return path;
  throw new UserError('ARGUMENTS', `expected one ${what}, got ${positionals.length}`);
}
