/**
 * Between which blocks each chunk was sealed: from its beacon, and from the anchor and the time stamp of its statement.
 * Implements spec/verification.md, "NOT_AFTER" and "NOT_BEFORE".
 */
import { type Anchoring, type LinkReading, linkedAs, linkOf } from './anchoring.ts';
import type { InclusionReading } from './inclusions.ts';
import type { StampReading } from './stamps.ts';
import { beginsStretch } from './stretches.ts';
import type { HeaderTrail } from './trail.ts';

export type NotAfter = {
  readonly chainId: bigint;
  readonly block: bigint;
  /** Unix time of the block. */
  readonly seconds: bigint;
};

export type NotBefore = {
  readonly chainId: bigint;
  readonly block: bigint;
  readonly hash: Uint8Array;
  /** Unix time of the newest block, at or below this one, whose header the bundle holds; a hash alone has no time. */
  readonly seconds: bigint | undefined;
  /** Whether that is the header of this block itself. */
  readonly exact: boolean;
};

/** By a time stamp: a bound of another kind, which rests on no chain. */
export type Stamped = {
  /** Unix time: that of the token and its accuracy. */
  readonly seconds: bigint;
  /** Position among the authorities of the policy. */
  readonly authority: number;
};

export type Bounds = {
  /** By position of the header. */
  readonly notAfter: readonly (NotAfter | undefined)[];
  readonly notBefore: readonly (NotBefore | undefined)[];
  readonly stamped: readonly (Stamped | undefined)[];
  /** Headers that would have the bound if the policy named the newest block of their link. */
  readonly notAfterUnchecked: number;
  readonly notBeforeUnchecked: number;
  /** The first header whose beacon is a block of the linked chain, but not older than its anchor. */
  readonly beaconAfterAnchor: number | undefined;
  /** Headers whose beacon is no block of the linked chain: it has the number of another one. */
  readonly beaconsElsewhere: number;
  /** Headers whose beacon no link shows. Like those elsewhere, it bounds nothing; an earlier header's may. */
  readonly beaconsUnlinked: number;
  /** Headers without any bound, of which the first has a beacon elsewhere. */
  readonly unboundElsewhere: boolean;
};

/**
 * Seconds from the one bound to the other, at most: a time that is "or later" makes it too wide, never too narrow.
 * None where a bound or the time of a bound is not known.
 */
export function widthOf(
  before: NotBefore | undefined,
  after: NotAfter | undefined,
): bigint | undefined {
  if (before?.seconds === undefined || after === undefined) return undefined;
  return after.seconds - before.seconds;
}

export function readBounds(
  headers: readonly HeaderTrail[],
  inclusions: readonly InclusionReading[],
  anchoring: Anchoring,
  stamps: readonly StampReading[],
): Bounds {
  const links = new Map(
    anchoring.links.flatMap(({ chainId }) => {
      const link = linkOf(anchoring, chainId);
      return link === undefined ? [] : [[chainId, link] as const];
    }),
  );
  const byStatement = earliestAnchors(inclusions, anchoring, links);
  const anchors = headers.map(({ statement }) => byStatement.get(statement ?? -1));
  const beacons = latestBeacons(headers, links);
  const isNamed = ({ chainId }: { readonly chainId: bigint }) =>
    links.get(chainId)?.newest === 'named';
  const notAfter = anchors.map((bound) => (bound && isNamed(bound) ? bound : undefined));
  const named = new Map([...links].filter(([chainId]) => isNamed({ chainId })));
  const notBefore = latestBeacons(headers, named);
  const standings = headers.map(({ header: { beacon } }) =>
    beacon === undefined ? 'none' : linkedAs(links.get(beacon.chainId), beacon),
  );
  const first = notBefore.indexOf(undefined);
  const stampOf = earliestStamps(inclusions, stamps);
  return {
    notAfter,
    notBefore,
    stamped: headers.map(({ statement }) => stampOf.get(statement ?? -1)),
    notAfterUnchecked: missing(notAfter) - missing(anchors),
    notBeforeUnchecked: missing(notBefore) - missing(beacons),
    beaconAfterAnchor: contradiction(headers, anchors, links),
    beaconsElsewhere: standings.filter((standing) => standing === 'other').length,
    beaconsUnlinked: standings.filter((standing) => standing === 'not_linked').length,
    unboundElsewhere: standings[first] === 'other',
  };
}

function missing(bounds: readonly unknown[]): number {
  return bounds.filter((bound) => bound === undefined).length;
}

/** Only what holds from the statement to the linked block counts. */
function earliestAnchors(
  inclusions: readonly InclusionReading[],
  anchoring: Anchoring,
  links: ReadonlyMap<bigint, LinkReading>,
): ReadonlyMap<number, NotAfter> {
  const earliest = new Map<number, NotAfter>();
  for (const { statement, window, problem } of inclusions) {
    const reading = anchoring.windows[window ?? -1];
    if (statement === undefined || reading === undefined || problem !== undefined) continue;
    if (reading.trusted === undefined || !reading.publisherNamed) continue;
    const { chainId } = reading.record;
    for (const { block, problem: unproven } of reading.evm) {
      if (block === undefined || unproven !== undefined) continue;
      if (linkedAs(links.get(chainId), block) !== 'linked') continue;
      const known = earliest.get(statement);
      if (known !== undefined && known.seconds <= block.timestamp) continue;
      earliest.set(statement, { chainId, block: block.number, seconds: block.timestamp });
    }
  }
  return earliest;
}

/** What stands in a window existed before the window was stamped, whoever anchored it. */
function earliestStamps(
  inclusions: readonly InclusionReading[],
  stamps: readonly StampReading[],
): ReadonlyMap<number, Stamped> {
  const ofWindow = new Map<number, Stamped>();
  for (const { windows, verified } of stamps) {
    if (verified === undefined) continue;
    const stamped = { seconds: verified.notAfterSeconds, authority: verified.authority };
    for (const window of windows) keepEarlier(ofWindow, window, stamped);
  }
  const ofStatement = new Map<number, Stamped>();
  for (const { statement, window, problem } of inclusions) {
    const stamped = ofWindow.get(window ?? -1);
    if (statement === undefined || stamped === undefined || problem !== undefined) continue;
    keepEarlier(ofStatement, statement, stamped);
  }
  return ofStatement;
}

function keepEarlier(map: Map<number, Stamped>, at: number, stamped: Stamped): void {
  const known = map.get(at);
  if (known === undefined || stamped.seconds < known.seconds) map.set(at, stamped);
}

/** A header contains the one before it, so it is younger than every beacon of its stretch up to its own. */
function latestBeacons(
  headers: readonly HeaderTrail[],
  links: ReadonlyMap<bigint, LinkReading>,
): readonly (NotBefore | undefined)[] {
  let latest: NotBefore | undefined;
  return headers.map(({ header }, at) => {
    // What a hole hides, nothing ties to what is before it.
    if (beginsStretch(headers[at - 1]?.header, header)) latest = undefined;
    const { beacon } = header;
    if (beacon === undefined) return latest;
    const link = links.get(beacon.chainId);
    const isOlder = latest?.chainId === beacon.chainId && beacon.number <= latest.block;
    if (link === undefined || isOlder || linkedAs(link, beacon) !== 'linked') return latest;
    latest = {
      chainId: beacon.chainId,
      block: beacon.number,
      hash: beacon.hash,
      ...timeOf(link, beacon.number),
    };
    return latest;
  });
}

/** Time grows with the number, so an older block's time is a bound too, if a weaker one. */
function timeOf(link: LinkReading, number: bigint): Pick<NotBefore, 'seconds' | 'exact'> {
  let [low, high] = [0, link.times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((link.times[middle]?.number ?? 0n) <= number) low = middle + 1;
    else high = middle;
  }
  const found = link.times[low - 1];
  return { seconds: found?.seconds, exact: found?.number === number };
}

function contradiction(
  headers: readonly HeaderTrail[],
  anchors: readonly (NotAfter | undefined)[],
  links: ReadonlyMap<bigint, LinkReading>,
): number | undefined {
  const found = headers.findIndex(({ header: { beacon } }, i) => {
    const anchor = anchors[i];
    return (
      beacon !== undefined &&
      anchor?.chainId === beacon.chainId &&
      beacon.number >= anchor.block &&
      linkedAs(links.get(beacon.chainId), beacon) === 'linked'
    );
  });
  return found < 0 ? undefined : found;
}
