/**
 * From the spool to an evidence bundle: opened leaves, headers, statements, receipts, header link.
 * Implements spec/bundle.md, "Items".
 */
import { encodeBundle, MAX_BUNDLE_BYTES } from '../../core/bundle.ts';
import {
  encodeEnrolmentItem,
  encodeHeaderItem,
  encodeStatementItem,
} from '../../core/bundle-items.ts';
import { equalBytes } from '../../core/bytes.ts';
import { decodeChunkHeader } from '../../core/chunk-header.ts';
import { sigStructure, unverifiedPayload } from '../../core/cose.ts';
import { OperationalError, UserError } from '../../core/errors.ts';
import { decodeJournalBlock } from '../../core/journal-block.ts';
import { KeyTreeWalk } from '../../core/key-tree.ts';
import { MerkleTree } from '../../core/merkle.ts';
import { MAX_ITEMS } from '../../core/sections.ts';
import { decodeSessionRecord } from '../../core/session-record.ts';
import type { PublicKey } from '../../core/signature.ts';
import { decodeStatement, leafIndexOf } from '../../core/statement.ts';
import type { Archive, Primitives, StoredChunk, StoredStatement, StoredWindow } from '../ports.ts';
import { acceptanceItems } from './acceptances.ts';
import type { DisclosableChunk, DisclosableStream } from './disclosable-chunk.ts';
import { needsSignature } from './header-signature.ts';
import { lateProofs, promisesWith } from './late-proofs.ts';
import { linkEvidence } from './link-evidence.ts';
import { openChunk } from './open-chunk.ts';
import { type OpenedLeaves, openedLeaves } from './opened-leaves.ts';
import { doubtfulPromises, promiseItem } from './promises.ts';
import { stampsOver } from './stamps-over.ts';

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
  readonly enrolment?: { readonly id: Uint8Array; readonly record: Uint8Array } | undefined;
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
  const statements = statementsOf(archive, logs);
  const inclusions = statements.flatMap(({ inclusion }) => inclusion ?? []);
  const windows = windowsOf(archive, statements);
  const proofs = lateProofs(selection.proofs ?? [], statements);
  const bare = doubtfulPromises(archive, statements).map((promise) =>
    promiseItem(archive, promise),
  );
  const sessions = sessionsOf(archive, [
    ...chunks,
    ...statements,
    ...opened.flatMap(({ dead }) => dead ?? []),
  ]);
  const bundle = encodeBundle(
    {
      sessions,
      headers: headerItems(
        chunks,
        new Set(opened.map(({ stored }) => placeName(stored.log, stored.seq))),
        new Map(statements.map((row) => [placeName(row.log, row.seq), sessionOf(row)])),
      ),
      blocks: opened.flatMap(({ blocks }) => blocks),
      streams: shown.map((name) => new TextEncoder().encode(name)),
      leaves: opened.map(({ item }) => item),
      statements: statements.map((statement) =>
        statementItem(archive, statement, chunks, primitives),
      ),
      inclusions,
      windows: windows.map((window) => window.bytes),
      stamps: stampsOver(archive, windows, primitives),
      links: linkEvidence(
        archive,
        windows.map((window) => window.link),
        chunks.map(({ header }) => decodeChunkHeader(header)),
        proofs,
      ),
      enrolments: enrolmentItems(sessions, selection.enrolment),
      brokenPromises: promisesWith(proofs, bare),
      acceptances: acceptanceItems(chunks, statements),
    },
    primitives.sha256,
  );
  if (bundle.length > MAX_BUNDLE_BYTES) throw tooLarge(`${bundle.length} bytes`);
  return bundle;
}

/** Without the VIN: showing it is for the owner, who has the salt. */
function enrolmentItems(
  sessions: readonly Uint8Array[],
  enrolment: ExportSelection['enrolment'],
): readonly Uint8Array[] {
  if (enrolment === undefined) return [];
  const isNamed = sessions.some((session) => {
    const { enrolmentId } = decodeSessionRecord(unverifiedPayload(session));
    return enrolmentId !== undefined && equalBytes(enrolmentId, enrolment.id);
  });
  return isNamed ? [encodeEnrolmentItem({ enrolment: enrolment.record, vin: undefined })] : [];
}

/** A bundle that no verifier reads is none. */
function tooLarge(size: string): UserError {
  return new UserError('EXPORT_TOO_LARGE', `choose a shorter range, this one has ${size}`);
}

/** Chunks of one log that are exported, at least one, and the streams that they may have. */
type ChosenLog = {
  readonly chunks: readonly StoredChunk[];
  /** By ordinal. */
  readonly streams: ReturnType<Archive['streams']>;
};

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

function keyedStream(name: string, root: Uint8Array, { sha512 }: Primitives): DisclosableStream {
  return { name, keys: new KeyTreeWalk({ depth: 0, prefix: 0, node: root }, sha512) };
}

type OpenedRow = OpenedLeaves & {
  readonly stored: StoredChunk;
  /** The session whose blocks a recovered chunk holds. */
  readonly dead: OfSession | undefined;
};

/** None when the chosen streams have no leaf in the chunk yet, or retention has let go of its leaves. */
function openedRow(
  archive: Archive,
  stored: StoredChunk,
  streams: readonly DisclosableStream[],
  places: ReadonlyMap<string, number>,
  primitives: Primitives,
): readonly OpenedRow[] {
  let chunk: DisclosableChunk;
  try {
    chunk = openChunk(archive, stored, streams, primitives);
  } catch (error) {
    // Its header still shows that there was one: the verifier says for which chunks a stream is not disclosed.
    if (error instanceof OperationalError && error.code === 'SPOOL_BODY_EVICTED') return [];
    throw error;
  }
  const leaves = openedLeaves(chunk, places);
  return leaves === undefined
    ? []
    : [{ ...leaves, stored, dead: deadSessionOf(archive, stored, chunk) }];
}

function deadSessionOf(
  archive: Archive,
  { log }: StoredChunk,
  { blocks: [first] }: DisclosableChunk,
): OfSession | undefined {
  if (first === undefined) return undefined;
  const { sessionId } = decodeJournalBlock(unverifiedPayload(first.head));
  const session = archive.sessions(log).find(({ id }) => equalBytes(id, sessionId));
  if (session === undefined) {
    throw new OperationalError(
      'SPOOL_DAMAGED',
      `the session that wrote the blocks of a chunk of log ${log} is not in the spool`,
      { retryable: false },
    );
  }
  return { log, session: session.number };
}

/** With the signatures that a check reads, and no others. */
function headerItems(
  chunks: readonly StoredChunk[],
  opened: ReadonlySet<string>,
  signedBy: ReadonlyMap<string, string>,
): readonly Uint8Array[] {
  return chunks.map((chunk) => {
    const { log, seq, header, signature, statement } = chunk;
    const isRead = needsSignature({
      isOpened: opened.has(placeName(log, seq)),
      isRecovered: decodeChunkHeader(header).recovered !== undefined,
      session: sessionOf(chunk),
      statementSession: statement && signedBy.get(placeName(statement.log, statement.seq)),
    });
    return encodeHeaderItem({ payload: header, signature: isRead ? signature : undefined });
  });
}

/** Each once, ascending: a statement may cover chunks of several logs. */
function statementsOf(archive: Archive, logs: readonly ChosenLog[]): readonly StoredStatement[] {
  const found = new Map<string, StoredStatement>();
  for (const { chunks } of logs) {
    const [first, last] = [chunks[0], chunks.at(-1)];
    if (first === undefined || last === undefined) continue;
    for (const row of archive.statementsOver(first.log, first.seq, last.seq)) {
      found.set(placeName(row.log, row.seq), row);
    }
  }
  return [...found.values()].sort((a, b) => a.log - b.log || a.seq - b.seq);
}

type WindowItem = StoredWindow & { readonly hash: Uint8Array };

function windowsOf(
  archive: Archive,
  statements: readonly StoredStatement[],
): readonly WindowItem[] {
  const hashes = new Map(
    statements.flatMap(({ windowHash }) =>
      windowHash === undefined ? [] : [[windowHash.join(), windowHash] as const],
    ),
  );
  return [...hashes.values()].flatMap((hash) => {
    const window = archive.window(hash);
    return window === undefined ? [] : { ...window, hash };
  });
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
