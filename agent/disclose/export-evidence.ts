/**
 * From the spool to an evidence bundle: opened leaves, headers, statements, receipts, header link.
 * Implements spec/bundle.md, "Items".
 */
import { encodeBundle, MAX_BUNDLE_BYTES, MAX_ITEMS } from '../../core/bundle.ts';
import {
  encodeHeaderItem,
  encodeOpenedChunk,
  encodeStatementItem,
} from '../../core/bundle-items.ts';
import { decodeChunkHeader } from '../../core/chunk-header.ts';
import { sigStructure, unverifiedPayload } from '../../core/cose.ts';
import { UserError } from '../../core/errors.ts';
import { KeyTreeWalk } from '../../core/key-tree.ts';
import { MerkleTree } from '../../core/merkle.ts';
import { decodeSessionRecord } from '../../core/session-record.ts';
import type { PublicKey } from '../../core/signature.ts';
import { decodeStatement, leafIndexOf } from '../../core/statement.ts';
import type { Archive, Primitives, StoredChunk, StoredStatement } from '../ports.ts';
import { needsSignature } from './header-signature.ts';
import { joinLinks } from './join-links.ts';
import { type DisclosableChunk, openChunk } from './open-chunk.ts';

export type ExportSelection = {
  /** The one that is written now when absent. */
  readonly log?: number;
  /** Inclusive; the whole log when absent. */
  readonly fromSeq?: number;
  readonly toSeq?: number;
  /** Names of streams; all when absent. */
  readonly streams?: ReadonlySet<string>;
};

/** @throws UserError EXPORT_EMPTY, EXPORT_STREAM_UNKNOWN, EXPORT_TOO_LARGE; OperationalError SPOOL_*, STORAGE_* */
export function exportEvidence(
  archive: Archive,
  selection: ExportSelection,
  primitives: Primitives,
  onChunk: (done: number, total: number) => void,
): Uint8Array {
  const log = selection.log ?? archive.identity()?.log ?? 0;
  const last = archive.lastChunk(log);
  const chunks = archive.chunks(log, selection.fromSeq ?? 0, selection.toSeq ?? last?.seq ?? 0);
  if (last === undefined || chunks.length === 0) {
    throw new UserError('EXPORT_EMPTY', 'the spool has no chunk in that range');
  }
  if (chunks.length > MAX_ITEMS) throw tooLarge(`${chunks.length} chunks`);
  const names = streamsUpTo(archive, chunks.at(-1));
  for (const wanted of selection.streams ?? []) {
    if (!names.includes(wanted)) {
      throw new UserError('EXPORT_STREAM_UNKNOWN', `that range has no stream "${wanted}"`);
    }
  }
  // ASCII, so that texts sort as their bytes do.
  const shown = names.filter((name) => selection.streams?.has(name) ?? true).sort();
  const opened = openedChunks(archive, chunks, shown, primitives, onChunk);
  const [first, end] = [chunks[0], chunks.at(-1)];
  const statements = archive.statementsOver(log, first?.seq ?? 0, end?.seq ?? 0);
  const inclusions = statements.flatMap(({ inclusion }) => inclusion ?? []);
  const windows = windowsOf(archive, statements);
  const bundle = encodeBundle(
    {
      sessions: sessionsOf(archive, [...chunks, ...statements]),
      headers: headerItems(
        chunks,
        new Set(opened.map(({ seq }) => seq)),
        new Map(statements.map((row) => [placeName(row.log, row.seq), sessionOf(row)])),
      ),
      streams: shown.map((name) => new TextEncoder().encode(name)),
      leaves: opened.map(({ item }) => item),
      statements: statements.map((statement) =>
        statementItem(archive, statement, chunks, primitives),
      ),
      inclusions,
      windows: windows.map((window) => window.bytes),
      links: joinLinks(windows.map((window) => window.link)),
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

/** Not those that were first seen later: their names are nobody's business who gets this range. */
function streamsUpTo(archive: Archive, last: StoredChunk | undefined): readonly string[] {
  if (last === undefined) return [];
  const streams = archive.streams(last.log).slice(0, last.announced);
  return streams.map((stream) => stream.name);
}

function openedChunks(
  archive: Archive,
  chunks: readonly StoredChunk[],
  shown: readonly string[],
  primitives: Primitives,
  onChunk: (done: number, total: number) => void,
): readonly { readonly seq: number; readonly item: Uint8Array }[] {
  const places = new Map(shown.map((name, i) => [name, i]));
  const streams = archive.streams(chunks[0]?.log ?? 0).map(({ name, root }) => ({
    name,
    keys: new KeyTreeWalk({ depth: 0, prefix: 0, node: root }, primitives.sha512),
  }));
  return chunks.flatMap((stored, done) => {
    const chunk = openChunk(archive, stored, streams, primitives);
    onChunk(done + 1, chunks.length);
    const item = openedChunkItem(chunk, places);
    return item === undefined ? [] : [{ seq: stored.seq, item }];
  });
}

/** Undefined when none of the streams has a leaf in this chunk yet. */
function openedChunkItem(
  chunk: DisclosableChunk,
  places: ReadonlyMap<string, number>,
): Uint8Array | undefined {
  const leaves = chunk.leaves.flatMap(({ stream, handle, salt, packed }, index) => {
    const place = places.get(stream);
    return place === undefined ? [] : { index, stream: place, handle, salt, packed };
  });
  if (leaves.length === 0) return undefined;
  const { log, seq } = chunk.header;
  const proof = chunk.tree.multiProof(leaves.map((leaf) => leaf.index));
  return encodeOpenedChunk({ log, seq, proof, leaves });
}

/** With the signatures that a check reads, and no others. */
function headerItems(
  chunks: readonly StoredChunk[],
  opened: ReadonlySet<number>,
  signedBy: ReadonlyMap<string, string>,
): readonly Uint8Array[] {
  return chunks.map((chunk) => {
    const { seq, header, signature, statement } = chunk;
    const isRead = needsSignature({
      isOpened: opened.has(seq),
      isRecovered: decodeChunkHeader(header).recovered !== undefined,
      session: sessionOf(chunk),
      statementSession: statement && signedBy.get(placeName(statement.log, statement.seq)),
    });
    return encodeHeaderItem({ payload: header, signature: isRead ? signature : undefined });
  });
}

function windowsOf(
  archive: Archive,
  statements: readonly StoredStatement[],
): readonly { readonly bytes: Uint8Array; readonly link: Uint8Array }[] {
  const hashes = new Map(
    statements.flatMap(({ windowHash }) =>
      windowHash === undefined ? [] : [[windowHash.join(), windowHash] as const],
    ),
  );
  return [...hashes.values()].flatMap((hash) => archive.window(hash) ?? []);
}

type OfSession = { readonly log: number; readonly session: number };

/** What a place is called in the maps of this file. */
function placeName(log: number, number: number): string {
  return `${log}/${number}`;
}

function sessionOf({ log, session }: OfSession): string {
  return placeName(log, session);
}

/** Records of those sessions, ascending. */
function sessionsOf(archive: Archive, rows: readonly OfSession[]): readonly Uint8Array[] {
  const used = new Set(rows.map(sessionOf));
  const logs = [...new Set(rows.map(({ log }) => log))].sort((a, b) => a - b);
  return logs.flatMap((log) =>
    archive
      .sessions(log)
      .filter(({ number }) => used.has(placeName(log, number)))
      .map(({ record }) => record),
  );
}

function sessionKeys(archive: Archive, log: number): ReadonlyMap<number, PublicKey> {
  return new Map(
    archive
      .sessions(log)
      .map(({ number, record }) => [
        number,
        decodeSessionRecord(unverifiedPayload(record)).sessionKey,
      ]),
  );
}

/** The statement with the proof of those of its headers that the bundle holds. */
function statementItem(
  archive: Archive,
  statement: StoredStatement,
  held: readonly StoredChunk[],
  primitives: Primitives,
): Uint8Array {
  const { spans } = decodeStatement(unverifiedPayload(statement.bytes));
  const leaves = spans.flatMap((span) => {
    const keys = sessionKeys(archive, span.log);
    const chunks = archive.chunks(span.log, span.firstSeq, span.firstSeq + span.count - 1);
    return chunks.map((chunk) => {
      const key = keys.get(chunk.session);
      if (key === undefined) throw new RangeError(`no session ${sessionOf(chunk)}`);
      return sigStructure('chunk-header', key, chunk.header);
    });
  });
  const indexes = held.flatMap((chunk) => leafIndexOf(spans, chunk.log, chunk.seq) ?? []);
  const tree = new MerkleTree(leaves, primitives.sha256);
  return encodeStatementItem({ statement: statement.bytes, proof: tree.multiProof(indexes) });
}
