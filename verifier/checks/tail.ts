/** TAIL: could the end of a session have been cut away? (spec/verification.md, "TAIL"). */

import { failed, indeterminate, type Json, type Outcome, passed } from '../check.ts';
import type { Context } from '../context.ts';
import { chunkName, counted, utc, utcMillis } from '../sentence.ts';
import { beginsStretch } from '../stretches.ts';
import type { HeaderTrail, SessionTrail } from '../trail.ts';

type Header = HeaderTrail['header'];

/** An end without a shutdown that the session recorded, or behind which a session left nothing. */
type OpenEnd = {
  /** Of the last chunk that the session sealed, or that was recovered from it. */
  readonly header: Header;
  readonly outside: Outside | undefined;
  readonly accepted: Accepted | undefined;
  /** Whether something of a later session is there: every recovered chunk is itself signed by one. */
  readonly isFollowed: boolean;
};

/** The last chunk that a statement of its own session had anchored: from then on others could know of it. */
type Outside = {
  readonly header: Header;
  readonly seconds: bigint;
  readonly chainId: bigint;
  readonly block: bigint;
};

/** The last chunk of a statement of its own session that a service said it had: the statement, never the chunk. */
type Accepted = { readonly header: Header; readonly atMs: number };

export function checkTail(context: Context): Outcome {
  const { headers } = context.trail;
  if (headers.length === 0) return indeterminate('absent', 'the bundle has no chunk header');
  const damaged = headers.filter(({ header }) => header.recovered?.ending === 'damaged');
  const [broken] = damaged;
  if (broken !== undefined) {
    return failed(
      'JOURNAL_DAMAGED',
      `${chunkName(broken.header)} was recovered from a journal with a block that had been on the disk whole and is not what it was`,
      { damaged: damaged.map(({ header }) => [header.log, header.seq]) },
    );
  }
  const open = openEnds(context);
  const values = { openEnds: open.map(endValues) };
  const [first] = open;
  if (first === undefined) {
    return passed('every session ends with a shutdown that it recorded', values);
  }
  const cut = open.find(({ isFollowed }) => isFollowed);
  if (cut === undefined) {
    return indeterminate(
      'open_end',
      `whether more was sealed after ${chunkName(first.header)} is not shown: the range ends there without a shutdown`,
      values,
    );
  }
  const others = open.length > 1 ? `, as after ${counted(open.length - 1, 'other end')}` : '';
  return indeterminate(
    'tail_may_be_cut',
    `what came after ${chunkName(cut.header)}, before the next session began, could have been cut${others}: ${outsideSentence(cut)}`,
    values,
  );
}

function openEnds({ trail, bounds, acceptances }: Context): readonly OpenEnd[] {
  const { headers, statements } = trail;
  const acceptedAtMs = new Map<number, number>();
  for (const { statement, acceptance } of acceptances) {
    if (statement === undefined || acceptance === undefined) continue;
    const known = acceptedAtMs.get(statement) ?? acceptance.acceptedAtMs;
    acceptedAtMs.set(statement, Math.min(known, acceptance.acceptedAtMs));
  }
  const ends: OpenEnd[] = [];
  let session = contentsOf(headers[0], undefined);
  let outside: Outside | undefined;
  let accepted: Accepted | undefined;
  headers.forEach((entry, at) => {
    const { header } = entry;
    if (headers[at - 1]?.header.log !== header.log) {
      outside = undefined;
      accepted = undefined;
    }
    const bound = bounds.notAfter[at];
    // What a later session covered was anchored after the end, and says nothing about the time before it.
    const isOwn = statements[entry.statement ?? -1]?.session === entry.session;
    if (isOwn && header.recovered === undefined) {
      if (bound !== undefined) outside = { header, ...bound };
      const atMs = acceptedAtMs.get(entry.statement ?? -1);
      if (atMs !== undefined) accepted = { header, atMs };
    }
    const next = headers[at + 1];
    const isHidden = next?.header.log === header.log && beginsStretch(header, next.header);
    const nextSession = contentsOf(next, isHidden ? undefined : session);
    const isEnd = next?.header.log !== header.log || nextSession !== session;
    const isOrderly =
      header.state === 'shutdown' &&
      header.recovered === undefined &&
      (isHidden || !skips(session, nextSession));
    session = nextSession;
    if (!isEnd || isOrderly) return;
    // Where a hole hides the end, what came after is not shown.
    const isFollowed = (next !== undefined && !isHidden) || header.recovered !== undefined;
    ends.push({ header, outside, accepted, isFollowed });
  });
  return ends;
}

/** A session in between left nothing here: it sealed nothing, or what it had was cut. */
function skips(before: SessionTrail | undefined, after: SessionTrail | undefined): boolean {
  if (before === undefined || after === undefined || before.record.log !== after.record.log) {
    return false;
  }
  return after.record.number > before.record.number + 1;
}

/** A recovered chunk belongs to the session that died; while it is closed, to the one before it, as a rule. */
function contentsOf(
  entry: HeaderTrail | undefined,
  before: SessionTrail | undefined,
): SessionTrail | undefined {
  if (entry?.header.recovered === undefined) return entry?.session;
  return entry.journal?.session ?? before;
}

function outsideSentence({ outside, accepted }: OpenEnd): string {
  const known =
    outside === undefined
      ? 'nothing before it is shown to have been known outside by then'
      : `the last that was known outside is ${chunkName(outside.header)}, by ${utc(outside.seconds)} (block ${outside.block} of chain ${outside.chainId})`;
  if (accepted === undefined) return known;
  const at = utcMillis(BigInt(accepted.atMs) * 1_000_000n);
  return `${known}; a service says that it had a statement up to ${chunkName(accepted.header)} by ${at}: its word, by its clock, on no chain`;
}

function endValues({ header, outside, accepted }: OpenEnd): Json {
  return {
    chunk: [header.log, header.seq],
    knownOutside:
      outside === undefined
        ? null
        : {
            chunk: [outside.header.log, outside.header.seq],
            chainId: `${outside.chainId}`,
            block: `${outside.block}`,
            seconds: `${outside.seconds}`,
          },
    accepted:
      accepted === undefined
        ? null
        : {
            chunk: [accepted.header.log, accepted.header.seq],
            ms: `${accepted.atMs}`,
          },
  };
}
