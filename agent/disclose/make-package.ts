/**
 * What a grant releases, as a package holds it before it is sealed: exactly the granted streams in exactly the chunks of
 * the range, as far as they exist, and the records of the grant's own custody. Implements spec/package.md, "Items".
 */
import { asciiBytes } from '../../core/bytes.ts';
import {
  encodeKeyNodesItem,
  encodePackageContents,
  MAX_PACKAGE_BYTES,
} from '../../core/package.ts';
import { runsOf } from '../../core/seq-runs.ts';
import type { Span } from '../../core/statement.ts';
import type { Archive, Primitives } from '../ports.ts';
import { chosenParts, tooLarge, type WantedNames, wantedNames } from './chosen-parts.ts';
import { type GrantedRange, grantedLogs } from './granted-chunks.ts';
import { keyedStream, openShown } from './open-shown.ts';
import { keyNodesOf } from './released-keys.ts';
import { type ReleasedLeaves, releasedLeaves, sealedChunkItem } from './sealed-leaves.ts';
import {
  type ChosenLog,
  type KnownEnrolment,
  type ShownChunk,
  sealedSections,
} from './sealed-sections.ts';

export type PackageOrder = GrantedRange & {
  /** Encoded, for the section of grants. */
  readonly grant: Uint8Array;
  readonly streams: readonly string[];
  /** Name of the grant's custody stream. */
  readonly custody: string;
  readonly enrolment: KnownEnrolment | undefined;
};

export type MadePackage = {
  /** Without a leaf there is nothing to hand over, and the counts say why. */
  readonly contents: Uint8Array | undefined;
  readonly chunksInRange: number;
  /** Of the granted streams. */
  readonly shown: readonly string[];
  /** Granted, and not seen by the end of the range. */
  readonly absent: readonly string[];
  /** Of which leaves are released. */
  readonly spans: readonly Span[];
  readonly leaves: number;
  /** Chunks with records of the grant's custody stream: their leaves are released too, and not counted above. */
  readonly custodyChunks: number;
  readonly keyNodes: number;
  /** In range, with nothing released: their leaves are gone, or no granted stream was seen yet. */
  readonly chunksWithout: number;
  /** In which the clock was set: what lies in range by it may not by another. */
  readonly stepped: readonly { readonly log: number; readonly seq: number }[];
};

/** @throws UserError DISCLOSE_TOO_LARGE; OperationalError SPOOL_*, STORAGE_* */
export function makePackage(
  archive: Archive,
  order: PackageOrder,
  primitives: Primitives,
  onChunk: (done: number, total: number) => void,
): MadePackage {
  const logs = grantedLogs(archive, order);
  const chunksInRange = logs.reduce((sum, { inRange }) => sum + inRange.length, 0);
  const chosen = chosenParts(archive, order, logs);
  const wanted = wantedNames(order, logs, chosen.custody);
  const released: Released[] = [];
  for (const part of chosen.parts) {
    for (const row of releasedOf(archive, part, wanted, primitives)) {
      released.push(row);
      onChunk(released.length, chunksInRange + chosen.custody.length);
    }
  }
  const isOfGrant = ({ stream }: { readonly stream: string }) => stream !== order.custody;
  const ofGrant = released.filter(({ leaves }) => leaves.some(isOfGrant));
  const seen = new Set(released.flatMap(({ leaves }) => leaves.map(({ stream }) => stream)));
  // ASCII, so that texts sort as their bytes do.
  const names = [...order.streams, order.custody].filter((name) => seen.has(name)).sort();
  const places = new Map(names.map((name, place) => [name, place]));
  const nodes = [...new Set(chosen.parts.map(({ log }) => log))].flatMap((log) =>
    keyNodesOf(log, archive.streams(log), released, places, primitives.sha512),
  );
  const counts = {
    chunksInRange,
    shown: order.streams.filter((name) => seen.has(name)),
    absent: order.streams.filter((name) => !seen.has(name)),
    spans: spansOf(ofGrant),
    leaves: ofGrant.reduce((sum, { leaves }) => sum + leaves.filter(isOfGrant).length, 0),
    custodyChunks: released.filter(({ leaves }) => !leaves.every(isOfGrant)).length,
    keyNodes: nodes.reduce((sum, item) => sum + item.nodes.length, 0),
    chunksWithout: chunksInRange - ofGrant.length,
    stepped: logs.flatMap(({ log, stepped }) => stepped.map((seq) => ({ log, seq }))),
  };
  // Custody alone is nothing that was granted.
  if (ofGrant.length === 0) return { ...counts, contents: undefined };
  const contents = encodePackageContents({
    ...sealedSections(
      archive,
      { logs: chosen.parts, opened: released, enrolment: order.enrolment },
      primitives,
    ),
    streams: names.map(asciiBytes),
    grants: [order.grant],
    keyNodes: nodes.map(encodeKeyNodesItem),
    sealedChunks: released.map((row) => sealedChunkItem(row, places)),
  });
  if (contents.length > MAX_PACKAGE_BYTES) throw tooLarge(`${contents.length} bytes`);
  return { ...counts, contents };
}

type Released = ShownChunk & ReleasedLeaves;

function* releasedOf(
  archive: Archive,
  { chunks, streams }: ChosenLog,
  wanted: WantedNames,
  primitives: Primitives,
): Iterable<Released> {
  const keyed = streams.map((stream) => keyedStream(stream, primitives));
  for (const stored of chunks) {
    const names = wanted(stored.log, stored.seq);
    if (names.size === 0) continue;
    const shown = openShown(archive, stored, keyed, primitives);
    if (typeof shown === 'string') continue;
    const leaves = releasedLeaves(shown.chunk, names);
    if (leaves !== undefined) yield { ...leaves, stored, dead: shown.dead };
  }
}

function spansOf(rows: readonly ReleasedLeaves[]): readonly Span[] {
  const logs = [...new Set(rows.map(({ log }) => log))];
  return logs.flatMap((log) =>
    runsOf(rows.flatMap((row) => (row.log === log ? row.seq : []))).map(({ first, last }) => ({
      log,
      firstSeq: first,
      count: last - first + 1,
    })),
  );
}
