/**
 * From the spool to an evidence bundle: opened leaves, headers, statements, receipts, header link.
 * Implements spec/bundle.md, "Items".
 */
import { encodeBundle, MAX_BUNDLE_BYTES } from '../../core/bundle.ts';
import { UserError } from '../../core/errors.ts';
import { MAX_ITEMS } from '../../core/sections.ts';
import type { Archive, Primitives, StoredChunk } from '../ports.ts';
import type { DisclosableStream } from './disclosable-chunk.ts';
import { keyedStream, openShown } from './open-shown.ts';
import { type OpenedLeaves, openedLeaves } from './opened-leaves.ts';
import {
  type ChosenLog,
  type KnownEnrolment,
  type ShownChunk,
  sealedSections,
} from './sealed-sections.ts';

export type ExportSelection = {
  /** The one that is written now when absent; `all` has every log of the unit, and no range. */
  readonly log?: number | 'all';
  /** Inclusive; the whole log when absent. */
  readonly fromSeq?: number;
  readonly toSeq?: number;
  /** Names of streams; all when absent. */
  readonly streams?: ReadonlySet<string>;
  /** Bundles of broken promises, as `witnessmark monitor` writes them, for statements of the range. */
  readonly proofs?: readonly Uint8Array[];
  /** Of the unit: goes with the sessions that name it. */
  readonly enrolment?: KnownEnrolment | undefined;
};

/** @throws UserError EXPORT_EMPTY, EXPORT_STREAM_UNKNOWN, EXPORT_TOO_LARGE, EXPORT_PROOF; OperationalError SPOOL_*, STORAGE_* */
export function exportEvidence(
  archive: Archive,
  selection: ExportSelection,
  primitives: Primitives,
  onChunk: (done: number, total: number) => void,
): Uint8Array {
  const logs = chosenLogs(archive, selection);
  const chunks = logs.flatMap((one) => one.chunks);
  if (chunks.length === 0) {
    throw new UserError('EXPORT_EMPTY', 'the spool has no chunk in that range');
  }
  if (chunks.length > MAX_ITEMS) throw tooLarge(`${chunks.length} chunks`);
  const names = new Set(logs.flatMap(({ streams }) => streams.map(({ name }) => name)));
  for (const wanted of selection.streams ?? []) {
    if (!names.has(wanted)) {
      throw new UserError('EXPORT_STREAM_UNKNOWN', `that range has no stream "${wanted}"`);
    }
  }
  // ASCII, so that texts sort as their bytes do.
  const shown = [...names].filter((name) => selection.streams?.has(name) ?? true).sort();
  const places = new Map(shown.map((name, i) => [name, i]));
  const opened: OpenedRow[] = [];
  let done = 0;
  for (const { chunks: rows, streams } of logs) {
    const keyed = streams.map(({ name, root }) => keyedStream(name, root, primitives));
    for (const stored of rows) {
      opened.push(...openedRow(archive, stored, keyed, places, primitives));
      done += 1;
      onChunk(done, chunks.length);
    }
  }
  const sections = sealedSections(archive, { logs, opened, ...selection }, primitives);
  const bundle = encodeBundle(
    {
      ...sections,
      streams: shown.map((name) => new TextEncoder().encode(name)),
      leaves: opened.map(({ item }) => item),
    },
    primitives.sha256,
  );
  if (bundle.length > MAX_BUNDLE_BYTES) throw tooLarge(`${bundle.length} bytes`);
  return bundle;
}

/** A bundle that no verifier reads is none. */
function tooLarge(size: string): UserError {
  return new UserError('EXPORT_TOO_LARGE', `choose a shorter range, this one has ${size}`);
}

function chosenLogs(archive: Archive, selection: ExportSelection): readonly ChosenLog[] {
  const current = archive.identity()?.log ?? 0;
  const { log = current, fromSeq = 0, toSeq } = selection;
  const numbers = log === 'all' ? Array.from({ length: current + 1 }, (_, i) => i) : [log];
  return numbers.flatMap((number) => {
    const end = toSeq ?? archive.lastChunk(number)?.seq;
    const chunks = end === undefined ? [] : archive.chunks(number, fromSeq, end);
    const last = chunks.at(-1);
    if (last === undefined) return [];
    // Not those that were first seen later: their names are nobody's business who gets this range.
    return [{ chunks, streams: archive.streams(number).slice(0, last.announced) }];
  });
}

type OpenedRow = OpenedLeaves & ShownChunk;

/** None when the chosen streams have no leaf in the chunk yet, or its leaves are not there any more. */
function openedRow(
  archive: Archive,
  stored: StoredChunk,
  streams: readonly DisclosableStream[],
  places: ReadonlyMap<string, number>,
  primitives: Primitives,
): readonly OpenedRow[] {
  const shown = openShown(archive, stored, streams, primitives);
  const leaves = shown && openedLeaves(shown.chunk, places);
  return leaves === undefined ? [] : [{ ...leaves, stored, dead: shown?.dead }];
}
