/**
 * One header link for a bundle: from its newest anchor to the other anchors and to the beacons that bound its chunks.
 * Implements spec/bundle.md, "Items"; spec/verification.md, "NOT_BEFORE", says what a beacon that is left out costs.
 */
import type { ChunkHeader } from '../../core/chunk-header.ts';
import { decodeBlockHeader } from '../../core/evm/block-header.ts';
import type { HeaderLink } from '../../core/evm/header-link.ts';
import { decodeHeaderLink, encodeHeaderLink } from '../../core/evm/header-link-record.ts';
import {
  type LinkedBlock,
  LinkGraph,
  type Reach,
  reaches,
} from '../../core/evm/join-header-links.ts';
import type { Archive } from '../ports.ts';
import type { LateProof } from './late-proofs.ts';

/** A beacon for so much of the device's time; those between are bounded by the one before. */
const BEACON_EVERY_NS = 600_000_000_000n;
/** Windows and hops of one bundle. */
const MAX_LINKS = 16_384;
/** Links behind the newest anchor that are looked at when it does not lead to everything. */
const LATER_LINKS = 64;

/**
 * What no held link leads to is left out: its window or its bound stays unlinked, and the verifier says so.
 * @param windows header link records of the bundle's windows
 * @param headers in the order of the bundle
 * @param proofs of broken promises in the bundle: their blocks have to stand on the same link
 * @returns one encoded link for each chain
 */
export function linkEvidence(
  archive: Pick<Archive, 'links' | 'linksFrom'>,
  windows: readonly Uint8Array[],
  headers: readonly ChunkHeader[],
  proofs: readonly LateProof[] = [],
): readonly Uint8Array[] {
  const links = windows.map(decodeHeaderLink);
  const chains = [...new Set([...links, ...proofs].map(({ chainId }) => chainId))];
  return chains.flatMap((chainId) => {
    const ofChain = links.filter((link) => link.chainId === chainId);
    const proven = proofs.filter((proof) => proof.chainId === chainId);
    const link = linkChain(archive, chainId, ofChain, headers, proven);
    return link === undefined ? [] : encodeHeaderLink(link);
  });
}

function linkChain(
  archive: Pick<Archive, 'links' | 'linksFrom'>,
  chainId: bigint,
  windows: readonly HeaderLink[],
  headers: readonly ChunkHeader[],
  proofs: readonly LateProof[],
): HeaderLink | undefined {
  const anchors = windows.flatMap(topOf);
  const accused = proofs.flatMap(({ blocks }) => blocks);
  const shown = proofs.flatMap(({ links }) => links);
  const beacons = headers.flatMap(({ beacon }) => (beacon?.chainId === chainId ? beacon : []));
  const named = [...anchors, ...accused, ...beacons];
  const lowest = named.reduce((a, b) => (b.number < a.number ? b : a), named[0] ?? NOTHING).number;
  const newest = anchors.reduce((a, b) => (b.number > a.number ? b : a), anchors[0] ?? NOTHING);
  const held = archive.links(chainId, lowest, newest.number, MAX_LINKS).map(decodeHeaderLink);
  let graph = new LinkGraph(chainId, [...windows, ...held, ...shown]);
  let reach = graph.reach(newest, 0n);
  if (!named.every((block) => reaches(reach, block))) {
    const after = archive.linksFrom(chainId, newest.number + 1n, LATER_LINKS).map(decodeHeaderLink);
    graph = new LinkGraph(chainId, [...windows, ...held, ...after, ...shown]);
    reach = widest(graph, [newest, ...[...after, ...shown].flatMap(topOf)], named);
  }
  const bounds = chosenBeacons(headers, reach);
  return graph.join(reach, [...anchors, ...accused, ...bounds, ...timesFor(bounds, graph, reach)]);
}

const NOTHING: LinkedBlock = { number: 0n, hash: new Uint8Array(32) };

function topOf({ hops: [first] }: HeaderLink): readonly LinkedBlock[] {
  return first === undefined ? [] : [decodeBlockHeader(first.header)];
}

/** From the oldest of these blocks that leads to the most. */
function widest(
  graph: LinkGraph,
  tops: readonly LinkedBlock[],
  named: readonly LinkedBlock[],
): Reach {
  const count = (reach: Reach) => named.filter((block) => reaches(reach, block)).length;
  const [first = graph.reach(NOTHING, 0n), ...others] = tops.map((top) => graph.reach(top, 0n));
  return others.reduce((best, each) => (count(each) > count(best) ? each : best), first);
}

/** In each stretch of headers the first that is linked, one for every ten minutes, and the last. */
function chosenBeacons(headers: readonly ChunkHeader[], reach: Reach): readonly LinkedBlock[] {
  const chosen: LinkedBlock[] = [];
  let last: ChunkHeader | undefined;
  let since: ChunkHeader | undefined;
  for (const [i, header] of headers.entries()) {
    const before = headers[i - 1];
    // Nothing ties a header to what is before a hole, so it has no bound of there.
    if (before?.log !== header.log || before.seq + 1 !== header.seq) {
      if (last?.beacon !== undefined) chosen.push(last.beacon);
      last = undefined;
      since = undefined;
    }
    if (header.beacon === undefined || !reaches(reach, header.beacon)) continue;
    const isDue = since === undefined || header.wallStartNs - since.wallStartNs >= BEACON_EVERY_NS;
    if (isDue) {
      chosen.push(header.beacon);
      since = header;
    }
    last = header;
  }
  if (last?.beacon !== undefined) chosen.push(last.beacon);
  return chosen;
}

/** A hash has no time: where a beacon's own header is not held, that of an older block is the next best. */
function timesFor(
  beacons: readonly LinkedBlock[],
  graph: LinkGraph,
  { blocks }: Reach,
): readonly LinkedBlock[] {
  const timed = blocks.filter((block) => graph.hasHeader(block));
  return beacons.flatMap((beacon) => {
    if (graph.hasHeader(beacon)) return [];
    const older = timed.filter(({ number }) => number < beacon.number);
    return older.length === 0
      ? []
      : older.reduce((a, b) => (b.number > a.number ? b : a), older[0] ?? beacon);
  });
}
