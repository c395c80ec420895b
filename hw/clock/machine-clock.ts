/** The machine's clocks at one moment. */
import { uptime } from 'node:os';
import type { ClockReading } from '../../agent/ports.ts';
import { addon } from '../native/addon.ts';

const out = new BigInt64Array(3);

/**
 * Without the native add-on the wall clock comes in whole ms, rounded up so that it is not before a frame that
 * is already here, and the boot clock in steps of 10 ms.
 */
export function readMachineClock(): ClockReading {
  if (addon === undefined) {
    return {
      monoNs: process.hrtime.bigint(),
      wallNs: BigInt(Date.now() + 1) * 1_000_000n,
      bootNs: BigInt(Math.round(uptime() * 100)) * 10_000_000n,
    };
  }
  addon.clocks(out);
  return { monoNs: out[0] ?? 0n, wallNs: out[1] ?? 0n, bootNs: out[2] ?? 0n };
}
