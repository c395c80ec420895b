/**
 * Which segments go when a spool has reached its bounds: a decision, without a disk.
 * Implements spec/spool.md, "Retention".
 */

/** A segment whose bodies are there. */
export type KeptSegment = {
  readonly number: number;
  readonly bytes: number;
  /** When its last chunk ended by the wall clock, ns since 1970. */
  readonly endNs: bigint;
  readonly isHeld: boolean;
};

export type RetentionLimits = {
  /** Of everything in the spool's folder. */
  readonly maxBytes: number;
  readonly maxAgeDays: number;
};

export type Retention = {
  /** Numbers of segments, oldest first. */
  readonly evict: readonly number[];
  readonly heldBytes: number;
  /** Everything is evicted that may be, and what is held leaves too little: the ring is what is left. */
  readonly isFullOfHolds: boolean;
};

/** Before it no agent was running: a clock that says so was not set. 2020 by UTC. */
export const FIRST_KNOWN_NS = 1_577_836_800_000_000_000n;
const DAY_NS = 86_400_000_000_000n;

/**
 * @param segments ascending; the last one is written and stays
 * @param otherBytes of the index and of what else lies in the folder
 * @param nowNs undefined while the time is not known: then nothing is too old
 */
export function retentionOf(
  segments: readonly KeptSegment[],
  otherBytes: number,
  limits: RetentionLimits,
  nowNs: bigint | undefined,
): Retention {
  const ends = knownEnds(segments);
  const evict: number[] = [];
  let bytes = segments.reduce((sum, segment) => sum + segment.bytes, otherBytes);
  const heldBytes = segments.reduce((sum, { isHeld, bytes: b }) => sum + (isHeld ? b : 0), 0);
  segments.slice(0, -1).forEach((segment, i) => {
    const isOld = isTooOld(ends[i], limits.maxAgeDays, nowNs);
    if (segment.isHeld || !(isOld || bytes > limits.maxBytes)) return;
    evict.push(segment.number);
    bytes -= segment.bytes;
  });
  return { evict, heldBytes, isFullOfHolds: heldBytes > 0 && bytes > limits.maxBytes };
}

export function isTooOld(
  endNs: bigint | undefined,
  maxAgeDays: number,
  nowNs: bigint | undefined,
): boolean {
  if (endNs === undefined || nowNs === undefined) return false;
  return nowNs - endNs > BigInt(maxAgeDays) * DAY_NS;
}

/**
 * What a false clock wrote must not make evidence go early. A time before any agent is not known: the segment
 * is as old as the next one with a known time. A time before that of an earlier segment is not later than it,
 * so the later of the two counts: a clock that once was too far ahead keeps segments longer, which the bound
 * in bytes ends.
 * @returns undefined where no later segment has a known time either
 */
export function knownEnds(
  segments: readonly Pick<KeptSegment, 'endNs'>[],
): readonly (bigint | undefined)[] {
  const ends = segments.map(({ endNs }) => (endNs < FIRST_KNOWN_NS ? undefined : endNs));
  for (let i = ends.length - 2; i >= 0; i--) ends[i] ??= ends[i + 1];
  let latest: bigint | undefined;
  return ends.map((end) => {
    if (end !== undefined && (latest === undefined || end > latest)) latest = end;
    return end === undefined ? undefined : latest;
  });
}
