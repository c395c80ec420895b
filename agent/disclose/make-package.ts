/**
 * What a grant releases, as a package holds it before it is sealed: exactly the granted streams in exactly the chunks of
 * the range, as far as they exist. Implements spec/package.md, "Items".
 */
import { asciiBytes } from '../../core/bytes.ts';
import { UserError } from '../../core/errors.ts';
import {
  encodeKeyNodesItem,
  encodePackageContents,
  MAX_PACKAGE_BYTES,
} from '../../core/package.ts';
import { MAX_ITEMS } from '../../core/sections.ts';
import { runsOf } from '../../core/seq-runs.ts';
import type { Span } from '../../core/statement.ts';
import type { Archive, Primitives } from '../ports.ts';
import { type GrantedLog, type GrantedRange, grantedLogs } from './granted-chunks.ts';
import { keyedStream, openShown } from './open-shown.ts';
import { keyNodesOf } from './released-keys.ts';
import { type ReleasedLeaves, releasedLeaves, sealedChunkItem } from './sealed-leaves.ts';
import { type KnownEnrolment, type ShownChunk, sealedSections } from './sealed-sections.ts';

export type PackageOrder = GrantedRange & {
  /** Encoded, for the section of grants. */
  readonly grant: Uint8Array;
  readonly streams: readonly string[];
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
  const total = logs.reduce((sum, { chunks }) => sum + chunks.length, 0);
  if (total > MAX_ITEMS) throw tooLarge(`${total} chunks`);
  const chunksInRange = logs.reduce((sum, { inRange }) => sum + inRange.length, 0);
  const released: Released[] = [];
  for (const log of logs) {
    for (const row of releasedOf(archive, log, new Set(order.streams), primitives)) {
      released.push(row);
      onChunk(released.length, chunksInRange);
    }
  }
  const seen = new Set(released.flatMap(({ leaves }) => leaves.map(({ stream }) => stream)));
  const shown = order.streams.filter((name) => seen.has(name));
  const places = new Map(shown.map((name, place) => [name, place]));
  const nodes = logs.flatMap(({ chunks: [first], streams }) => {
    const log = first?.log ?? 0;
    return keyNodesOf(log, streams, released, places, primitives.sha512);
  });
  const counts = {
    chunksInRange,
    shown,
    absent: order.streams.filter((name) => !places.has(name)),
    spans: spansOf(released),
    leaves: released.reduce((sum, { leaves }) => sum + leaves.length, 0),
    keyNodes: nodes.reduce((sum, item) => sum + item.nodes.length, 0),
    chunksWithout: chunksInRange - released.length,
    stepped: logs.flatMap(({ stepped, chunks }) =>
      stepped.map((seq) => ({ log: chunks[0]?.log ?? 0, seq })),
    ),
  };
  if (released.length === 0) return { ...counts, contents: undefined };
  const contents = encodePackageContents({
    ...sealedSections(archive, { logs, opened: released, enrolment: order.enrolment }, primitives),
    streams: shown.map(asciiBytes),
    grants: [order.grant],
    keyNodes: nodes.map(encodeKeyNodesItem),
    sealedChunks: released.map((row) => sealedChunkItem(row, places)),
  });
  if (contents.length > MAX_PACKAGE_BYTES) throw tooLarge(`${contents.length} bytes`);
  return { ...counts, contents };
}

function tooLarge(size: string): UserError {
  return new UserError('DISCLOSE_TOO_LARGE', `ask for a shorter range, this one has ${size}`);
}

type Released = ShownChunk & ReleasedLeaves;

function* releasedOf(
  archive: Archive,
  { chunks, streams, inRange }: GrantedLog,
  granted: ReadonlySet<string>,
  primitives: Primitives,
): Iterable<Released> {
  const keyed = streams.map((stream) => keyedStream(stream, primitives));
  const wanted = new Set(inRange);
  for (const stored of chunks) {
    if (!wanted.has(stored.seq)) continue;
    const shown = openShown(archive, stored, keyed, primitives);
    if (typeof shown === 'string') continue;
    const leaves = releasedLeaves(shown.chunk, granted);
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
