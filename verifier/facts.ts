/**
 * What the bundle shows, in numbers: only what signatures, trees and proofs stand behind.
 * Implements spec/verification.md, "Facts". Changing any byte of a bundle makes verification fail or leaves these alone.
 */
import { toHex } from '../core/bytes.ts';
import { type NotAfter, type NotBefore, type Stamped, widthOf } from './bounds.ts';
import type { CheckCode, CheckResult } from './check.ts';
import type { Context } from './context.ts';
import { actValues, type ShownAct } from './custody-words.ts';
import type { TrustPolicy } from './policy.ts';
import type { AuthorityClass } from './policy-file.ts';
import { streamsOf } from './readings.ts';
import { beginsStretch } from './stretches.ts';

export type SeqRange = {
  readonly log: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
};

export type TimeBounds = SeqRange & {
  /** Unix seconds as text; `exact` false: the block is from then or later. */
  readonly notBefore: {
    readonly chainId: string;
    readonly block: string;
    readonly hash: string;
    readonly seconds: string | null;
    readonly exact: boolean;
  } | null;
  readonly notAfter: {
    readonly chainId: string;
    readonly block: string;
    readonly seconds: string;
  } | null;
  /** From the one to the other at most; null where one or its time is not known. */
  readonly widthSeconds: string | null;
  /** Unix seconds as text, by a time stamp of an authority of this class: a bound that rests on no chain. */
  readonly stamped: { readonly seconds: string; readonly class: AuthorityClass } | null;
};

export type Facts = {
  readonly vehicle: { readonly tag: string; readonly epoch: number; readonly deviceKeyId: string };
  readonly sessions: readonly {
    readonly log: number;
    readonly number: number;
    readonly id: string;
    readonly rootHolder: string;
    readonly buses: readonly {
      readonly bus: string;
      readonly source: string;
      readonly stampSource: string;
      readonly access: string;
    }[];
  }[];
  readonly chunks: number;
  readonly ranges: readonly SeqRange[];
  readonly openedChunks: number;
  readonly frames: number;
  /** Opened chunks that were recovered from the journal of a session that died. */
  readonly recovered: readonly {
    readonly log: number;
    readonly seq: number;
    /** Number of that session; null where its first block was damaged. */
    readonly session: number | null;
    readonly blocks: number;
    /** False: not all streams are opened, so where one is silent is the word of the session after the crash. */
    readonly silenceProven: boolean;
  }[];
  /** Ascending by log and name; `count` is frames of a raw stream, records of any other. */
  readonly streams: readonly (SeqRange & {
    readonly stream: string;
    readonly chunks: number;
    readonly silent: number;
    readonly count: number;
  })[];
  /** Closed entries of an opened chunk, least and most. */
  readonly withheld: { readonly least: number; readonly most: number };
  readonly statements: number;
  readonly windows: number;
  /** By the device's own clock: a claim, unlike the bounds. */
  readonly deviceClock: { readonly firstNs: string; readonly lastNs: string } | null;
  readonly time: readonly TimeBounds[];
  /** Of all chunks; null where one has no width. */
  readonly widestSeconds: string | null;
  /** Who did what with the evidence, where the bundle shows it: the newest 1,000 acts, oldest first. */
  readonly custody?: readonly ShownAct[];
};

const MOST_ACTS = 1000;

/** Without these nothing was verified that facts could come from; an absent part brings none. */
const BASE: readonly CheckCode[] = [
  'DEVICE',
  'SESSION',
  'STATEMENT',
  'HEADER_SIGNATURE',
  'HEADER_CHAIN',
  'LEAVES',
];

export function factsOf(context: Context, checks: readonly CheckResult[]): Facts | undefined {
  const holds = checks.every(
    ({ code, verdict, reason }) =>
      verdict === 'PASSED' ||
      (verdict === 'INDETERMINATE' && (!BASE.includes(code) || reason === 'absent')),
  );
  const { trail, readings, anchoring, custody } = context;
  const [first] = trail.sessions;
  if (!holds || first === undefined) return undefined;
  const headers = trail.headers.map(({ header }) => header);
  const time = timesOf(context);
  return {
    vehicle: {
      tag: toHex(first.record.tag),
      epoch: first.record.epoch,
      deviceKeyId: toHex(first.record.deviceKeyId),
    },
    sessions: trail.sessions.map(({ id, record }) => ({
      log: record.log,
      number: record.number,
      id: toHex(id ?? new Uint8Array(0)),
      rootHolder: record.rootHolder,
      buses: record.buses.map(({ bus, source, stampSource, access }) => ({
        ...{ bus, source, stampSource, access },
      })),
    })),
    chunks: headers.length,
    ranges: rangesOf(headers),
    openedChunks: readings.chunks,
    frames: readings.frames,
    recovered: recoveredOf(context),
    streams: shownStreams(context),
    withheld: {
      least: readings.chunks === 0 ? 0 : readings.withheldLeast,
      most: readings.withheldMost,
    },
    statements: trail.statements.length,
    windows: anchoring.windows.length,
    deviceClock: clockOf(headers),
    time,
    widestSeconds: widestOf(time),
    ...(custody.acts.length === 0
      ? {}
      : { custody: custody.acts.slice(-MOST_ACTS).map(actValues) }),
  };
}

function rangesOf(headers: readonly { readonly log: number; readonly seq: number }[]): SeqRange[] {
  const ranges: { log: number; firstSeq: number; lastSeq: number }[] = [];
  headers.forEach((header, i) => {
    const { log, seq } = header;
    const range = ranges.at(-1);
    if (range === undefined || beginsStretch(headers[i - 1], header)) {
      ranges.push({ log, firstSeq: seq, lastSeq: seq });
    } else range.lastSeq = seq;
  });
  return ranges;
}

function recoveredOf({ trail, readings }: Context): Facts['recovered'] {
  const claimed = new Set(readings.claimedSilent);
  return trail.headers.flatMap(({ header, journal }, at) =>
    journal === undefined
      ? []
      : {
          log: header.log,
          seq: header.seq,
          session: journal.session?.record.number ?? null,
          blocks: journal.blocks.length,
          silenceProven: !claimed.has(at),
        },
  );
}

function shownStreams({ trail, readings }: Context): Facts['streams'] {
  return streamsOf(readings)
    .map(({ stream, log, chunks, silent, count, firstHeader, lastHeader }) => ({
      stream,
      log,
      firstSeq: trail.headers[firstHeader]?.header.seq ?? 0,
      lastSeq: trail.headers[lastHeader]?.header.seq ?? 0,
      chunks,
      silent,
      count,
    }))
    .sort((a, b) => a.log - b.log || (a.stream < b.stream ? -1 : 1));
}

function clockOf(
  headers: readonly { readonly wallStartNs: bigint; readonly wallEndNs: bigint }[],
): Facts['deviceClock'] {
  const [first] = headers;
  if (first === undefined) return null;
  let [from, to] = [first.wallStartNs, first.wallEndNs];
  for (const { wallStartNs, wallEndNs } of headers) {
    if (wallStartNs < from) from = wallStartNs;
    if (wallEndNs > to) to = wallEndNs;
  }
  return { firstNs: `${from}`, lastNs: `${to}` };
}

type Bound = readonly [NotBefore | undefined, NotAfter | undefined, Stamped | undefined];

/** As the report shows them: two stamps for one second, of authorities of one class, are one bound. */
function sameBounds(a: Bound, b: Bound, classOf: (one: Stamped) => AuthorityClass): boolean {
  const [beforeA, afterA, stampedA] = a;
  const [beforeB, afterB, stampedB] = b;
  return (
    beforeA?.chainId === beforeB?.chainId &&
    beforeA?.block === beforeB?.block &&
    afterA?.chainId === afterB?.chainId &&
    afterA?.block === afterB?.block &&
    stampedA?.seconds === stampedB?.seconds &&
    (stampedA && classOf(stampedA)) === (stampedB && classOf(stampedB))
  );
}

/** Chunks that follow each other with the same bounds are one row. */
function timesOf({ trail, bounds, policy }: Context): TimeBounds[] {
  const rows: TimeBounds[] = [];
  let previous: Bound = [undefined, undefined, undefined];
  const classOf = ({ authority }: Stamped) => classAt(policy, authority);
  trail.headers.forEach(({ header: { log, seq } }, i) => {
    const [before, after] = [bounds.notBefore[i], bounds.notAfter[i]];
    const stamped = bounds.stamped[i];
    const row = rows.at(-1);
    const isNext = !beginsStretch(trail.headers[i - 1]?.header, { log, seq });
    const bound: Bound = [before, after, stamped];
    if (row !== undefined && isNext && sameBounds(previous, bound, classOf)) {
      rows[rows.length - 1] = { ...row, lastSeq: seq };
    } else {
      rows.push({
        log,
        firstSeq: seq,
        lastSeq: seq,
        ...shownBounds(before, after, stamped, policy),
      });
    }
    previous = [before, after, stamped];
  });
  return rows;
}

function widestOf(rows: readonly TimeBounds[]): string | null {
  let widest: bigint | undefined;
  for (const { widthSeconds } of rows) {
    if (widthSeconds === null) return null;
    const width = BigInt(widthSeconds);
    if (widest === undefined || width > widest) widest = width;
  }
  return widest === undefined ? null : `${widest}`;
}

function shownBounds(
  before: NotBefore | undefined,
  after: NotAfter | undefined,
  stamped: Stamped | undefined,
  policy: TrustPolicy,
): Omit<TimeBounds, keyof SeqRange> {
  return {
    widthSeconds: widthOf(before, after)?.toString() ?? null,
    notBefore:
      before === undefined
        ? null
        : {
            chainId: `${before.chainId}`,
            block: `${before.block}`,
            hash: `0x${toHex(before.hash)}`,
            seconds: before.seconds === undefined ? null : `${before.seconds}`,
            exact: before.exact,
          },
    notAfter:
      after === undefined
        ? null
        : {
            chainId: `${after.chainId}`,
            block: `${after.block}`,
            seconds: `${after.seconds}`,
          },
    stamped:
      stamped === undefined
        ? null
        : { seconds: `${stamped.seconds}`, class: classAt(policy, stamped.authority) },
  };
}

function classAt({ timestampAuthorities }: TrustPolicy, place: number): AuthorityClass {
  const authority = timestampAuthorities[place];
  if (authority === undefined) throw new RangeError('a stamp of no authority of the policy');
  return authority.class;
}
