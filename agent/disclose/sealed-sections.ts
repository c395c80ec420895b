/**
 * What a bundle has beside leaves and names: everything that was signed over its chunks, and what proves when.
 * Implements spec/bundle.md, "Items".
 */
import type { Sections } from '../../core/bundle.ts';
import {
  encodeEnrolmentItem,
  encodeHeaderItem,
  encodeStatementItem,
} from '../../core/bundle-items.ts';
import { equalBytes } from '../../core/bytes.ts';
import { decodeChunkHeader } from '../../core/chunk-header.ts';
import { sigStructure, unverifiedPayload } from '../../core/cose.ts';
import { MerkleTree } from '../../core/merkle.ts';
import { decodeSessionRecord } from '../../core/session-record.ts';
import type { PublicKey } from '../../core/signature.ts';
import { decodeStatement, leafIndexOf } from '../../core/statement.ts';
import type { Archive, Primitives, StoredChunk, StoredStatement, StoredWindow } from '../ports.ts';
import { acceptanceItems } from './acceptances.ts';
import { needsSignature } from './header-signature.ts';
import { lateProofs, promisesWith } from './late-proofs.ts';
import { linkEvidence } from './link-evidence.ts';
import { doubtfulPromises, promiseItem } from './promises.ts';
import { stampsOver } from './stamps-over.ts';

/** Chunks of one log that are shown, at least one, and the streams that they may have. */
export type ChosenLog = {
  readonly chunks: readonly StoredChunk[];
  /** By ordinal. */
  readonly streams: ReturnType<Archive['streams']>;
};

/** A chunk of which leaves are shown. */
export type ShownChunk = {
  readonly stored: StoredChunk;
  /** Of a recovered chunk: every block. */
  readonly blocks: readonly Uint8Array[];
  /** The session whose blocks a recovered chunk holds. */
  readonly dead: OfSession | undefined;
};

export type Shown = {
  readonly logs: readonly ChosenLog[];
  readonly opened: readonly ShownChunk[];
  /** Bundles of broken promises. */
  readonly proofs?: readonly Uint8Array[];
  readonly enrolment?: KnownEnrolment | undefined;
};

export type KnownEnrolment = { readonly id: Uint8Array; readonly record: Uint8Array };

/** @throws UserError EXPORT_PROOF; OperationalError SPOOL_*, STORAGE_* */
export function sealedSections(
  archive: Archive,
  { logs, opened, proofs: bundles = [], enrolment }: Shown,
  primitives: Primitives,
): Partial<Omit<Sections, 'streams' | 'leaves'>> {
  const chunks = logs.flatMap((one) => one.chunks);
  const statements = statementsOf(archive, logs);
  const inclusions = statements.flatMap(({ inclusion }) => inclusion ?? []);
  const windows = windowsOf(archive, statements);
  const proofs = lateProofs(bundles, statements);
  const bare = doubtfulPromises(archive, statements).map((promise) =>
    promiseItem(archive, promise),
  );
  const sessions = sessionsOf(archive, [
    ...chunks,
    ...statements,
    ...opened.flatMap(({ dead }) => dead ?? []),
  ]);
  return {
    sessions,
    headers: headerItems(
      chunks,
      new Set(opened.map(({ stored }) => placeName(stored.log, stored.seq))),
      new Map(statements.map((row) => [placeName(row.log, row.seq), sessionOf(row)])),
    ),
    blocks: opened.flatMap(({ blocks }) => blocks),
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
    enrolments: enrolmentItems(sessions, enrolment),
    brokenPromises: promisesWith(proofs, bare),
    acceptances: acceptanceItems(chunks, statements),
  };
}

/** Without the VIN: showing it is for the owner, who has the salt. */
function enrolmentItems(
  sessions: readonly Uint8Array[],
  enrolment: KnownEnrolment | undefined,
): readonly Uint8Array[] {
  if (enrolment === undefined) return [];
  const isNamed = sessions.some((session) => {
    const { enrolmentId } = decodeSessionRecord(unverifiedPayload(session));
    return enrolmentId !== undefined && equalBytes(enrolmentId, enrolment.id);
  });
  return isNamed ? [encodeEnrolmentItem({ enrolment: enrolment.record, vin: undefined })] : [];
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

export type OfSession = { readonly log: number; readonly session: number };

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
