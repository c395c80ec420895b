/**
 * Which frames the kernel hands over, in candump's notation.
 * Implements spec/configuration.md, "Filters".
 */
import { CAN_EFF_FLAG } from '../core/frame.ts';
import type { Settings } from '../core/settings.ts';

/** As struct can_filter: a frame passes when its can_id and `id` agree in the bits of `mask`. */
export type CaptureFilter = { readonly id: number; readonly mask: number };

/** The kernel's CAN_RAW_FILTER_MAX. */
const MAX_FILTERS = 512;
const STANDARD = /^([0-7][0-9A-F]{2}):([0-7][0-9A-F]{2})$/i;
const EXTENDED = /^([01][0-9A-F]{7}):([01][0-9A-F]{7})$/i;

/** @throws UserError CONFIG_VALUE */
export function readFilters(
  table: Settings,
  key: string,
  texts: readonly string[],
): readonly CaptureFilter[] {
  if (texts.length > MAX_FILTERS) throw table.invalid(key, `at most ${MAX_FILTERS} filters`);
  return texts.map((text) => {
    const filter = toFilter(text);
    if (filter === undefined) {
      throw table.invalid(key, 'filters such as 0B4:7FF or 18DAF110:1FFFFFFF (id:mask)');
    }
    return filter;
  });
}

/** The mask always has the flag: a standard filter must not let extended ids pass, nor the other way round. */
function toFilter(text: string): CaptureFilter | undefined {
  const standard = STANDARD.exec(text);
  if (standard !== null) return { id: hex(standard[1]), mask: withFlag(hex(standard[2])) };
  const extended = EXTENDED.exec(text);
  if (extended === null) return undefined;
  return { id: withFlag(hex(extended[1])), mask: withFlag(hex(extended[2])) };
}

function hex(digits: string | undefined): number {
  return Number.parseInt(digits ?? '', 16);
}

function withFlag(bits: number): number {
  return (bits | CAN_EFF_FLAG) >>> 0;
}
