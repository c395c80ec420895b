import { utcMillis } from '../../sentence.ts';

/** By the device's clock, to the millisecond. @param ms since 1970 */
export function timeText(ms: number): string {
  return utcMillis(BigInt(Math.round(ms)) * 1_000_000n);
}
