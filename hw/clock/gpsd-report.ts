/**
 * What a line of gpsd's JSON says about the wall clock.
 * Source: gpsd_json(5), classes PPS, TOFF and TPV.
 */

/** The wall clock, compared with the satellites' time at one moment. */
export type Comparison = {
  /** Wall clock minus satellites' time. */
  readonly offsetNs: bigint;
  readonly uncertaintyNs: bigint;
};

const MAX_PRECISION = 0;
const MIN_PRECISION = -30;
/** A report names a moment and comes up to one interval of the receiver after it. */
const REPORT_DELAY_NS = 1_000_000_000n;
/** When the receiver does not say how well it knows the time. */
const UNSAID_NS = 1_000_000_000n;

/**
 * @param line from the network, as anybody may have written it
 * @param wallNs when it came
 * @returns undefined when it says nothing about the time
 */
export function readReport(line: string, wallNs: bigint): Comparison | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const report = value as Readonly<Record<string, unknown>>;
  switch (report['class']) {
    case 'PPS':
      return ofPulse(report);
    case 'TOFF':
      return ofSentence(report);
    case 'TPV':
      return ofFix(report, wallNs);
    default:
      return undefined;
  }
}

/** The receiver's pulse, stamped by the kernel: the only report without a serial line's delay. */
function ofPulse(report: Readonly<Record<string, unknown>>): Comparison | undefined {
  const offsetNs = clockMinusReal(report);
  const precision = report['precision'];
  if (offsetNs === undefined || typeof precision !== 'number') return undefined;
  const exponent = Math.min(MAX_PRECISION, Math.max(MIN_PRECISION, precision));
  return { offsetNs, uncertaintyNs: BigInt(Math.ceil(2 ** exponent * 1e9)) };
}

/** The first byte of the sentence that names the moment, stamped by gpsd. */
function ofSentence(report: Readonly<Record<string, unknown>>): Comparison | undefined {
  const offsetNs = clockMinusReal(report);
  return offsetNs === undefined ? undefined : { offsetNs, uncertaintyNs: REPORT_DELAY_NS };
}

function ofFix(report: Readonly<Record<string, unknown>>, wallNs: bigint): Comparison | undefined {
  const { time, mode, ept } = report as { time?: unknown; mode?: unknown; ept?: unknown };
  // Mode 0 and 1: no fix, and the time is the receiver's own guess.
  if (typeof time !== 'string' || typeof mode !== 'number' || mode < 2) return undefined;
  const timeMs = Date.parse(time);
  if (Number.isNaN(timeMs)) return undefined;
  const isSaid = typeof ept === 'number' && ept >= 0 && ept < 1e6;
  return {
    offsetNs: wallNs - BigInt(Math.round(timeMs * 1e6)),
    uncertaintyNs: REPORT_DELAY_NS + (isSaid ? BigInt(Math.ceil(ept * 1e9)) : UNSAID_NS),
  };
}

function clockMinusReal(report: Readonly<Record<string, unknown>>): bigint | undefined {
  const clock = seconds(report['clock_sec'], report['clock_nsec']);
  const real = seconds(report['real_sec'], report['real_nsec']);
  return clock !== undefined && real !== undefined ? clock - real : undefined;
}

function seconds(sec: unknown, nsec: unknown): bigint | undefined {
  if (!Number.isSafeInteger(sec) || !Number.isSafeInteger(nsec)) return undefined;
  return BigInt(sec as number) * 1_000_000_000n + BigInt(nsec as number);
}
