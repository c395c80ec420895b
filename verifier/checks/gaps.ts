/** GAPS: every interval without frames that should have some has its cause (spec/verification.md, "GAPS"). */
import { toHex } from '../../core/bytes.ts';
import { type ChunkHeader, type Gap, type GapCause, MAX_GAPS } from '../../core/chunk-header.ts';
import type { LogPredecessor } from '../../core/session-record.ts';
import { indeterminate, type Json, listedRows, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { chunkName, counted } from '../sentence.ts';
import { beginsStretch } from '../stretches.ts';
import { type HeaderTrail, sessionOfContents, type Trail } from '../trail.ts';

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
    ...listedRows('gaps', gaps),
    ...(rolledBack.length === 0 ? {} : { rolledBack: rolledBack.map(rolledBackValues) }),
  };
  const named = restartsNamed(headers);
  for (const [i, entry] of headers.entries()) {
    const reason = unexplained(shownBefore(headers, i), entry, named[i] ?? false);
    if (reason !== undefined) {
      return indeterminate(
        reason,
        `before ${chunkName(entry.header)}, or in it, there is ${SENTENCE[reason]}`,
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
  if (gaps.length === 0) return passed('no gap recorded, and none between the chunks', values);
  const listed = [...causes].map(([cause, count]) => `${cause} ${count}`).join(', ');
  return passed(`${counted(gaps.length, 'gap')}, each with its cause: ${listed}`, values);
}

const SENTENCE = {
  unrecorded_hole: 'an interval that neither chunk covers and no gap explains',
  unrecorded_restart: 'a new session, and no gap says why the one before ended',
  overlap: 'a chunk that ends after it starts',
} as const;

type Unexplained = keyof typeof SENTENCE;

/** The chunk before, also of an earlier log; none where a hole hides it. */
function shownBefore(headers: readonly HeaderTrail[], at: number): HeaderTrail | undefined {
  const [before, entry] = [headers[at - 1], headers[at]];
  const isHidden =
    before !== undefined &&
    before.header.log === entry?.header.log &&
    beginsStretch(before.header, entry.header);
  return isHidden ? undefined : before;
}

/** @param isNamed whether the gap of a restart at `after` is named */
function unexplained(
  before: HeaderTrail | undefined,
  after: HeaderTrail,
  isNamed: boolean,
): Unexplained | undefined {
  if (before !== undefined && !isNamed) {
    const isRestart = before.header.log !== after.header.log || before.session !== after.session;
    if (isRestart) return 'unrecorded_restart';
  }
  if (after.header.recovered !== undefined) return unexplainedInJournal(before, after);
  if (before === undefined || before.session !== after.session) return undefined;
  const [a, b] = [before.header, after.header];
  // A recovered chunk repeats the clock of the session that died.
  if (a.log !== b.log || a.recovered !== undefined) return undefined;
  return unexplainedAt(a.monoEndNs, b.monoStartNs, b.gaps, b.clock.steps > 0);
}

/** Within a session one monotonic clock runs, so a chunk or block starts exactly where the one before ended. */
function unexplainedAt(
  endNs: bigint,
  startNs: bigint,
  gaps: readonly Gap[],
  isClockSet: boolean,
): Unexplained | undefined {
  const holeNs = startNs - endNs;
  if (holeNs < 0n) return 'overlap';
  if (holeNs === 0n) return undefined;
  const longest = longestGapNs(gaps);
  // Gaps are in wall time, whose length says nothing once the clock was set.
  const explains = longest !== undefined && (isClockSet || longest >= holeNs);
  return explains ? undefined : 'unrecorded_hole';
}

/** The blocks of an opened recovered chunk, and what the dead session had before them. */
function unexplainedInJournal(
  before: HeaderTrail | undefined,
  { header, journal }: HeaderTrail,
): Unexplained | undefined {
  if (journal?.session === undefined) return undefined;
  const isBehind =
    before?.header.log === header.log && sessionOfContents(before) === journal.session;
  let endNs = isBehind ? before.header.monoEndNs : undefined;
  for (const { block } of journal.blocks) {
    const reason =
      endNs === undefined ? undefined : unexplainedAt(endNs, block.monoStartNs, block.gaps, false);
    if (reason !== undefined) return reason;
    endNs = block.monoEndNs;
  }
  return undefined;
}

/**
 * For each header, whether a restart there is named. The gap stands behind the frames of the session that died: in
 * the last chunk recovered from it, or in the first that follows. A range that ends before that does not show it.
 */
function restartsNamed(headers: readonly HeaderTrail[]): readonly boolean[] {
  const named: boolean[] = [];
  for (let i = headers.length - 1; i >= 0; i--) {
    const [header, next] = [headers[i]?.header, headers[i + 1]?.header];
    if (header === undefined) continue;
    const isOpen =
      header.recovered !== undefined && (next === undefined || beginsStretch(header, next));
    const isLater = header.recovered !== undefined && named[i + 1] === true;
    named[i] = namesRestart(headers[i - 1]?.header, header) || isOpen || isLater;
  }
  return named;
}

const RESTART_CAUSES: readonly GapCause[] = [
  'power_off',
  'agent_stopped',
  'agent_crashed',
  'storage_full',
  'rolled_back',
  'unknown',
];

/**
 * Whether one of the gaps lies where the restart does: from the end of what was recorded before, to the start of
 * what follows. A gap on all buses that lies elsewhere, such as a suspension, names no restart.
 */
function namesRestart(before: ChunkHeader | undefined, header: ChunkHeader): boolean {
  const isCollected = header.gaps.length === MAX_GAPS;
  const isBehind = before?.log === header.log && before.seq + 1 === header.seq;
  if (isBehind && namesRestartInParts(before.wallEndNs, header)) return true;
  return header.gaps.some(({ bus, fromNs, toNs, cause }) => {
    if (bus !== '' || !RESTART_CAUSES.includes(cause)) return false;
    // The last of many stands for all that are not named.
    if (isCollected && cause === 'unknown') return true;
    // A recovered chunk ends where the session died, and the session that recovered it began at the gap's end.
    if (header.recovered !== undefined) return fromNs <= header.wallEndNs && toNs > fromNs;
    return toNs >= header.wallStartNs && (!isBehind || fromNs <= before.wallEndNs);
  });
}

/** Several gaps name a restart where each begins before the one before it ends, and none of the time is left out. */
function namesRestartInParts(
  endNs: bigint,
  { wallStartNs, gaps, recovered }: ChunkHeader,
): boolean {
  if (recovered !== undefined) return false;
  let reachNs = endNs;
  for (const { bus, fromNs, toNs, cause } of gaps) {
    if (bus !== '' || !RESTART_CAUSES.includes(cause)) continue;
    if (fromNs <= reachNs && toNs > reachNs) reachNs = toNs;
  }
  return reachNs > endNs && reachNs >= wallStartNs;
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
  // Both ascend, so the last one of a log stays.
  const newestStatement = new Map(statements.map(({ statement: { log, seq } }) => [log, seq]));
  const newestChunk = new Map(headers.map(({ header: { log, seq } }) => [log, seq]));
  return [...logs].map(([log, predecessor]) => ({
    log,
    predecessor,
    newestStatement: newestStatement.get(predecessor.log),
    newestChunk: newestChunk.get(predecessor.log),
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
function longestGapNs(gaps: readonly Gap[]): bigint | undefined {
  let longest: bigint | undefined;
  for (const { bus, fromNs, toNs } of gaps) {
    const length = toNs - fromNs;
    if (bus === '' && (longest === undefined || length > longest)) longest = length;
  }
  return longest;
}
