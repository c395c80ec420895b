/**
 * From the spool to an evidence bundle: opened leaves, headers, statements, receipts, header link.
 * Implements spec/bundle.md, "Items".
 */
import { encodeBundle, MAX_BUNDLE_BYTES } from '../../core/bundle.ts';
import { UserError } from '../../core/errors.ts';
import type { OpenedRoots } from '../../core/sealed-roots.ts';
import { MAX_ITEMS } from '../../core/sections.ts';
import { RECORDS } from '../../core/stream.ts';
import type { Archive, Primitives, StoredChunk } from '../ports.ts';
import type { DisclosableStream } from './disclosable-chunk.ts';
import { keyedStream, openShown } from './open-shown.ts';
import { type OpenedLeaves, openedLeaves } from './opened-leaves.ts';
import { readableStreams } from './readable-streams.ts';
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
  /** With chosen streams: the owner's custody stream too, where the range has it. */
  readonly custody?: boolean;
  /** What the owner opened of the roots that were sealed to the recovery key: with them nothing is forgotten. */
  readonly roots?: readonly OpenedRoots[];
};

/** Of a long export. */
export type ExportProgress = {
  onChunk(done: number, total: number): void;
  /** At the end, when there are any: chunks of the range whose keys only the owner has. */
  onForgotten?(count: number): void;
};

/** @throws UserError EXPORT_EMPTY, EXPORT_STREAM_UNKNOWN, EXPORT_TOO_LARGE, EXPORT_PROOF; OperationalError SPOOL_*, STORAGE_* */
export function exportEvidence(
  archive: Archive,
  selection: ExportSelection,
  primitives: Primitives,
  progress: ExportProgress | ExportProgress['onChunk'],
): Uint8Array {
  const { onChunk, onForgotten = () => undefined } = asProgress(progress);
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
  const shown = [...names].filter((name) => isChosen(name, selection)).sort();
  const places = new Map(shown.map((name, i) => [name, i]));
  const opened: OpenedRow[] = [];
  let done = 0;
  let forgotten = 0;
  for (const { chunks: rows, streams } of logs) {
    const keyed = streams.map((stream) => keyedStream(stream, primitives));
    for (const stored of rows) {
      const row = openedRow(archive, stored, keyed, places, primitives);
      if (row === 'forgotten') forgotten += 1;
      else opened.push(...row);
      done += 1;
      onChunk(done, chunks.length);
    }
  }
  if (forgotten > 0) onForgotten(forgotten);
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

function isChosen(name: string, { streams, custody = false }: ExportSelection): boolean {
  return (streams?.has(name) ?? true) || (custody && name === RECORDS.custody);
}

function asProgress(progress: ExportProgress | ExportProgress['onChunk']): ExportProgress {
  return typeof progress === 'function' ? { onChunk: progress } : progress;
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
    const streams = readableStreams(archive, number, selection.roots);
    return [{ chunks, streams: streams.slice(0, last.announced) }];
  });
}

type OpenedRow = OpenedLeaves & ShownChunk;

/**
 * None when the chosen streams have no leaf in the chunk yet, or retention has let go of its leaves; `forgotten` when
 * only the owner can open it.
 */
function openedRow(
  archive: Archive,
  stored: StoredChunk,
  streams: readonly DisclosableStream[],
  places: ReadonlyMap<string, number>,
  primitives: Primitives,
): readonly OpenedRow[] | 'forgotten' {
  const shown = openShown(archive, stored, streams, primitives);
  if (shown === 'forgotten') return shown;
  if (shown === 'evicted') return [];
  const leaves = openedLeaves(shown.chunk, places);
  return leaves === undefined ? [] : [{ ...leaves, stored, dead: shown.dead }];
}
