/** GAPS: every interval without frames that should have some has its cause (spec/verification.md, "GAPS"). */
import type { ChunkHeader } from '../../core/chunk-header.ts';
import { indeterminate, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { chunkName, counted } from '../sentence.ts';
import type { HeaderTrail } from '../trail.ts';

export function checkGaps({ trail }: Context): Outcome {
  const { headers } = trail;
  if (headers.length === 0) return indeterminate('absent', 'the bundle has no chunk header');
  const causes = new Map<string, number>();
  const gaps = headers.flatMap(({ header }) =>
    header.gaps.map((gap) => {
      causes.set(gap.cause, (causes.get(gap.cause) ?? 0) + 1);
      return [header.log, header.seq, gap.bus, `${gap.fromNs}`, `${gap.toNs}`, gap.cause];
    }),
  );
  const values = { gaps };
  for (let i = 1; i < headers.length; i++) {
    const [before, after] = [headers[i - 1], headers[i]];
    const reason = before && after && unexplained(before, after);
    if (after !== undefined && reason !== undefined) {
      return indeterminate(
        reason,
        `before ${chunkName(after.header)} there is ${SENTENCE[reason]}`,
        values,
      );
    }
  }
  const unknown = causes.get('unknown') ?? 0;
  if (unknown > 0) {
    return indeterminate('unknown_cause', `${counted(unknown, 'gap')} of unknown cause`, values);
  }
  if (gaps.length === 0) return passed('no gap', values);
  const listed = [...causes].map(([cause, count]) => `${cause} ${count}`).join(', ');
  return passed(`${counted(gaps.length, 'gap')}, each with its cause: ${listed}`, values);
}

const SENTENCE = {
  unrecorded_hole: 'an interval that neither chunk covers and no gap explains',
  unrecorded_restart: 'a new session, and no gap says why the one before ended',
  overlap: 'a chunk that ends after it starts',
} as const;

function unexplained(before: HeaderTrail, after: HeaderTrail): keyof typeof SENTENCE | undefined {
  const [a, b] = [before.header, after.header];
  if (a.log !== b.log || before.session !== after.session) {
    return longestGapNs(b) === undefined ? 'unrecorded_restart' : undefined;
  }
  // A recovered chunk repeats the clock of the session that died.
  if (a.recovered !== undefined || b.recovered !== undefined) return undefined;
  // Within a session one monotonic clock runs, so a chunk starts exactly where the one before ended.
  const holeNs = b.monoStartNs - a.monoEndNs;
  if (holeNs < 0n) return 'overlap';
  if (holeNs === 0n) return undefined;
  const longest = longestGapNs(b);
  // Gaps are in wall time, whose length says nothing once the clock was set.
  const explains = longest !== undefined && (b.clock.steps > 0 || longest >= holeNs);
  return explains ? undefined : 'unrecorded_hole';
}

/** Of the gaps on all buses. */
function longestGapNs(header: ChunkHeader): bigint | undefined {
  let longest: bigint | undefined;
  for (const { bus, fromNs, toNs } of header.gaps) {
    const length = toNs - fromNs;
    if (bus === '' && (longest === undefined || length > longest)) longest = length;
  }
  return longest;
}
