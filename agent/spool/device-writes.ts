/**
 * What this process had the device write, and how long a device lasts at that pace. The kernel counts a page when it
 * is first dirtied for a sync, so a byte that changes a page of 4 KiB counts as 4 KiB, as it does on the device.
 */
import { readFileSync } from 'node:fs';

/** Program-erase cycles that cheap flash is built for. */
const FLASH_CYCLES = 3000;
const YEAR_SECONDS = 31_557_600;

/** @returns bytes since the process began; undefined where the kernel does not count them */
export function readDeviceWrites(file = '/proc/self/io'): number | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  const [written, cancelled] = [count(text, 'write_bytes'), count(text, 'cancelled_write_bytes')];
  // Pages that were dirtied and thrown away before they were written, as when a file is cut off.
  return written === undefined ? undefined : written - (cancelled ?? 0);
}

function count(text: string, name: string): number | undefined {
  const digits = new RegExp(`^${name}: (\\d+)$`, 'm').exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** @param deviceBytes size of the device; wear is spread over all of it */
export function deviceYears(bytesPerSecond: number, deviceBytes: number): number {
  return (deviceBytes * FLASH_CYCLES) / bytesPerSecond / YEAR_SECONDS;
}
