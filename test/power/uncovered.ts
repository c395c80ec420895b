/**
 * Holes that no gap covers: frames that were sent, are not in the evidence, and that nothing in it accounts for. Sender
 * and gaps go by one clock, so the only tolerance is how long the sending of a burst took: the gap may begin within it.
 */
import type { ChunkHeader, Gap, GapCause } from '../../core/chunk-header.ts';
import type { BusCounts, RunRecord } from './run-record.ts';

/** Why nothing was recorded on any bus, where a process or its machine ended, or its disk could not be written. */
const NAMED: readonly GapCause[] = ['agent_crashed', 'power_off', 'agent_stopped', 'storage_full'];

/** What the evidence says of time without frames. */
export type Claims = {
  readonly gaps: readonly Gap[];
  /** Where a log begins: of what came before, it claims nothing. */
  readonly beginsNs: bigint | undefined;
};

export function claimsOf(headers: readonly ChunkHeader[]): Claims {
  const [first] = headers;
  const gaps = headers.flatMap((header) => header.gaps);
  if (first?.seq !== 0) return { gaps, beginsNs: undefined };
  const begins = [first.wallStartNs, ...first.gaps.map(({ fromNs }) => fromNs)];
  return { gaps, beginsNs: begins.toSorted((a, b) => Number(a - b))[0] };
}

/**
 * @param kept frames of each bus that are in the evidence: its first ones, without a hole
 * @returns in words, bursts with frames that are not in it and in no gap
 */
export function uncovered(run: RunRecord, kept: BusCounts, claims: Claims): readonly string[] {
  const named = claims.gaps.filter(({ bus, cause }) => bus === '' && NAMED.includes(cause));
  return run.bursts.flatMap((burst) => {
    const missing = burst.after.reduce((sum, after, bus) => {
      return sum + Math.max(0, after - Math.max(kept[bus] ?? 0, burst.before[bus] ?? 0));
    }, 0);
    // In a run that ends in order, what is told and not sent is never sent.
    if (missing === 0 || (burst.toNs === undefined && !run.isKilled)) return [];
    const isCovered = named.some(
      (gap) => (burst.toNs === undefined || gap.fromNs <= burst.toNs) && gap.toNs >= burst.fromNs,
    );
    const { beginsNs } = claims;
    if (isCovered || (beginsNs !== undefined && burst.fromNs < beginsNs)) return [];
    const last = named.findLast(({ fromNs }) => fromNs <= burst.fromNs);
    const after = last && burst.fromNs - last.toNs;
    const next = named.find(({ toNs }) => toNs >= burst.fromNs);
    const before = next && burst.fromNs - next.fromNs;
    return `run ${run.run}: ${missing} frames sent at ${burst.fromNs} are missing, and no gap is there (${before} ns to the next, ${after} ns behind the last)`;
  });
}
