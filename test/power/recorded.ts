/** Compares the evidence of a unit with what its processes said before they were killed. */
import type { GapCause } from '../../core/chunk-header.ts';
import { frameData, frameTimeNs } from '../../core/frame.ts';
import { nativeSha256 } from '../../hw/crypto/native-hash.ts';
import type { CheckResult } from '../../verifier/check.ts';
import { type Evidence, readEvidence } from '../../verifier/evidence.ts';
import { busesOf, framesOf } from '../../verifier/frames.ts';
import type { TrustPolicyFile } from '../../verifier/policy-file.ts';
import { reportOn } from '../agent/support/evidence.ts';
import { numberOf } from './numbered-frame.ts';
import type { RunRecord } from './run-record.ts';
import { claimsOf, uncovered } from './uncovered.ts';

/** What the default policy requires, as far as it needs no chain; and that nothing is missing unexplained. */
const MUST_PASS = [
  'BUNDLE',
  'DEVICE',
  'SESSION',
  'STATEMENT',
  'HEADER_SIGNATURE',
  'HEADER_CHAIN',
  'COVERED',
  'LEAVES',
  'STREAMS',
  'ORDER',
  'LOSS',
  'GAPS',
];

/** What a kill took: everything that was sent to this run and is not in the evidence. */
export type Loss = {
  readonly run: number;
  readonly frames: number;
  /** From the newest frame that is in the evidence to the newest that was sent. */
  readonly ms: number;
  /** Killed before its second watermark: what came while it recovered and began is in it. */
  readonly whileStarting: boolean;
};

export type Findings = {
  /** Must be empty: promises that were not kept, in words. */
  readonly wrong: readonly string[];
  readonly losses: readonly Loss[];
  readonly frames: number;
  readonly chunks: number;
  readonly recoveredChunks: number;
  /** Of gaps on all buses: why one session ended before the next began. */
  readonly causes: readonly GapCause[];
  /** Of the last chunk, for the next range. */
  readonly lastSeq: number;
};

/** @param runs whose frames are in these chunks, all of them and no others, ascending */
export function compareEvidence(
  bundle: Uint8Array,
  policy: TrustPolicyFile,
  runs: readonly RunRecord[],
): Findings {
  const wrong = verdictsOf(bundle, policy);
  const evidence = readEvidence(bundle, nativeSha256);
  const recorded = new Map(runs.map((run) => [run.run, new RecordedRun(run)]));
  wrong.push(...readFrames(evidence, recorded));
  const headers = evidence.headers.map(({ header }) => header);
  const claims = claimsOf(headers);
  const losses: Loss[] = [];
  for (const run of runs) {
    const found = recorded.get(run.run) ?? new RecordedRun(run);
    wrong.push(...run.complaints);
    run.durable.forEach((durable, bus) => {
      const kept = found.counts[bus] ?? 0;
      if (kept < durable) {
        wrong.push(`run ${run.run}: ${durable} frames of can${bus} were durable, ${kept} are left`);
      }
    });
    const frames = run.sent.reduce((sum, sent, bus) => {
      return sum + Math.max(0, sent - (found.counts[bus] ?? 0));
    }, 0);
    wrong.push(...uncovered(run, found.counts, claims));
    if (frames === 0) continue;
    const newestNs = found.newestNs ?? run.bursts[0]?.fromNs ?? 0n;
    const ms = Math.max(0, Math.round(Number(run.lastSentNs - newestNs) / 1e6));
    losses.push({ run: run.run, frames, ms, whileStarting: run.watermarks < 2 });
  }
  return {
    wrong,
    losses,
    frames: [...recorded.values()].flatMap(({ counts }) => counts).reduce((a, b) => a + b, 0),
    chunks: headers.length,
    recoveredChunks: headers.filter((header) => header.recovered !== undefined).length,
    causes: headers.flatMap(({ gaps }) =>
      gaps.flatMap(({ bus, cause }) => (bus === '' ? cause : [])),
    ),
    lastSeq: headers.at(-1)?.seq ?? -1,
  };
}

/** What came back of one run. */
class RecordedRun {
  readonly counts = [0, 0];
  newestNs: bigint | undefined;
  readonly #run: RunRecord;
  /** Of each bus: the burst that its last frame was in. */
  readonly #bursts = [0, 0];

  constructor(run: RunRecord) {
    this.#run = run;
  }

  /** @returns what is wrong when it is not the next of its bus */
  add(bus: number, count: number, timeNs: bigint): string | undefined {
    const next = this.counts[bus] ?? 0;
    this.counts[bus] = count + 1;
    this.newestNs = timeNs;
    const { run } = this.#run;
    if (count !== next)
      return `run ${run}: frame ${count} of can${bus} stands where ${next} should`;
    // That the sender's times are those of the stamps is what the search for holes rests on.
    if (this.#isSentThen(bus, count, timeNs)) return undefined;
    return `run ${run}: frame ${count} of can${bus} has the stamp ${timeNs}, when it was not sent`;
  }

  #isSentThen(bus: number, count: number, timeNs: bigint): boolean {
    const { bursts } = this.#run;
    let at = this.#bursts[bus] ?? 0;
    while (at < bursts.length && (bursts[at]?.after[bus] ?? 0) <= count) at += 1;
    this.#bursts[bus] = at;
    const burst = bursts[at];
    if (burst === undefined || timeNs < burst.fromNs) return false;
    return burst.toNs === undefined || timeNs <= burst.toNs;
  }
}

function readFrames(
  evidence: Evidence,
  recorded: ReadonlyMap<number, RecordedRun>,
): readonly string[] {
  const wrong: string[] = [];
  const buses = busesOf(evidence);
  let lastRun = -1;
  for (const { block, order, seq } of framesOf(evidence, nativeSha256)) {
    if (order !== 'recorded') wrong.push(`chunk ${seq} does not show its order`);
    for (let i = 0; i < block.count; i++) {
      const { run, bus, count } = numberOf(frameData(block, i));
      const found = recorded.get(run);
      if (found === undefined || run < lastRun || buses[block.bus[i] ?? 0] !== `can${bus}`) {
        wrong.push(`chunk ${seq}: frame ${count} of run ${run} on can${bus} has no place there`);
        continue;
      }
      lastRun = run;
      const fault = found.add(bus, count, frameTimeNs(block, i));
      if (fault !== undefined) wrong.push(`chunk ${seq}, ${fault}`);
    }
  }
  return wrong;
}

/** @returns what is not as it must be after any number of crashes */
function verdictsOf(bundle: Uint8Array, policy: TrustPolicyFile): string[] {
  const { checks, accepted } = reportOn(bundle, policy);
  const wrong = checks.flatMap(({ code, verdict, reason, detail }) => {
    const isFine =
      verdict === 'PASSED' ||
      (verdict === 'INDETERMINATE' && !MUST_PASS.includes(code) && isExpected({ code, reason }));
    return isFine ? [] : [`${code} ${verdict} ${reason}: ${detail}`];
  });
  // A policy without a chain requires what only a chain can show.
  if (policy.chains.length > 0 && !accepted) wrong.push('the evidence is not accepted');
  return wrong;
}

/** A tail that ended in a crash may have been cut, and says so; it must not say anything else. */
function isExpected({ code, reason }: Pick<CheckResult, 'code' | 'reason'>): boolean {
  return code !== 'TAIL' || reason === 'tail_may_be_cut';
}
