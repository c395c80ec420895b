/** The machine's clocks at one moment. */
import type { ClockReading } from '../../agent/ports.ts';
import { addon } from '../native/addon.ts';

const out = new BigInt64Array(3);

/** As hw/native/clocks.cc: a thread that loses the processor between two clocks would see a step that never was. */
const ONE_MOMENT_NS = 500_000n;
const ATTEMPTS = 20;

export function readMachineClock(): ClockReading {
  if (addon === undefined) return readWithoutAddon();
  addon.clocks(out);
  return { monoNs: out[0] ?? 0n, wallNs: out[1] ?? 0n, bootNs: out[2] ?? 0n };
}

/**
 * The wall clock comes in whole ms, rounded up so that it is not before a frame that is already here. Node has the
 * clock that goes on in a suspension in steps of 10 ms only (os.uptime), which is twice what counts as a suspension:
 * so the monotonic clock stands for it, no suspension is seen, and one counts as a step of the wall clock.
 */
export function readWithoutAddon(): ClockReading {
  let monoNs = 0n;
  let wallMs = 0;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    monoNs = process.hrtime.bigint();
    wallMs = Date.now();
    if (process.hrtime.bigint() - monoNs < ONE_MOMENT_NS) break;
  }
  return { monoNs, wallNs: BigInt(wallMs + 1) * 1_000_000n, bootNs: monoNs };
}
