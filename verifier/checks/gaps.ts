/** GAPS: every interval without frames that should have some has its cause (spec/verification.md, "GAPS"). */
import { toHex } from '../../core/bytes.ts';
import type { ChunkHeader } from '../../core/chunk-header.ts';
import type { LogPredecessor } from '../../core/session-record.ts';
import { indeterminate, type Json, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { chunkName, counted } from '../sentence.ts';
import type { HeaderTrail, Trail } from '../trail.ts';

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
  const rolledBack = rolledBackLogs(trail);
  const values = {
    gaps,
    ...(rolledBack.length === 0 ? {} : { rolledBack: rolledBack.map(rolledBackValues) }),
  };
  for (let i = 1; i < headers.length; i++) {
    const reason = unexplained(headers, i);
    const after = headers[i];
    if (after !== undefined && reason !== undefined) {
      return indeterminate(
        reason,
        `before ${chunkName(after.header)} there is ${SENTENCE[reason]}`,
        values,
      );
    }
  }
  const [first] = rolledBack;
  if (first !== undefined) return indeterminate('rolled_back', sentenceOf(first), values);
  const unknown = causes.get('unknown') ?? 0;
  const back = causes.get('rolled_back') ?? 0;
  if (back > 0) {
    return indeterminate(
      'rolled_back',
      `${counted(back, 'gap')} from a disk that lost its newest part`,
      values,
    );
  }
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

function unexplained(
  headers: readonly HeaderTrail[],
  at: number,
): keyof typeof SENTENCE | undefined {
  const [before, after] = [headers[at - 1], headers[at]];
  if (before === undefined || after === undefined) return undefined;
  const [a, b] = [before.header, after.header];
  if (a.log !== b.log || before.session !== after.session) {
    return explainsRestart(headers, at) ? undefined : 'unrecorded_restart';
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

/**
 * The gap of a restart stands behind the frames of the session that died: in the last chunk recovered from it, or
 * in the first that follows. A range that ends before that does not show it.
 */
function explainsRestart(headers: readonly HeaderTrail[], at: number): boolean {
  for (let i = at; i < headers.length; i++) {
    const header = headers[i]?.header;
    if (header === undefined || header.log !== headers[at]?.header.log) return true;
    if (longestGapNs(header) !== undefined) return true;
    if (header.recovered === undefined) return false;
  }
  return true;
}

/** A log that a rolled-back disk made necessary, and what is known of the one before. */
type RolledBackLog = {
  readonly log: number;
  readonly predecessor: LogPredecessor;
  /** Newest statement that the older log itself made and the bundle has. */
  readonly newestStatement: number | undefined;
  /** Newest chunk of the older log in the bundle. */
  readonly newestChunk: number | undefined;
};

function rolledBackLogs({ sessions, headers, statements }: Trail): readonly RolledBackLog[] {
  const logs = new Map<number, LogPredecessor>();
  for (const { record } of sessions) {
    if (record.predecessor !== undefined) logs.set(record.log, record.predecessor);
  }
  return [...logs].map(([log, predecessor]) => ({
    log,
    predecessor,
    newestStatement: statements.findLast(({ statement }) => statement.log === predecessor.log)
      ?.statement.seq,
    newestChunk: headers.findLast(({ header }) => header.log === predecessor.log)?.header.seq,
  }));
}

function rolledBackValues({ log, predecessor, newestStatement, newestChunk }: RolledBackLog): Json {
  return {
    log,
    predecessor: [predecessor.log, predecessor.statementSeq, toHex(predecessor.statementId)],
    newestStatement: newestStatement ?? null,
    newestChunk: newestChunk ?? null,
  };
}

function sentenceOf({ log, predecessor, newestStatement, newestChunk }: RolledBackLog): string {
  const { log: older, statementSeq } = predecessor;
  const known = [
    ...(newestStatement === undefined ? [] : [`statement ${older}/${newestStatement}`]),
    ...(newestChunk === undefined ? [] : [`chunk ${older}/${newestChunk}`]),
  ].join(' and ');
  const behind = known === '' ? '' : ` after ${known}`;
  return `log ${log} began because statement ${older}/${statementSeq} was lost with the newest part of the disk: what it and others covered in log ${older}${behind} is missing`;
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
