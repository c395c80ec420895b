/**
 * A bundle's bytes to its parts: everything is decoded once, nothing is believed yet.
 * Implements spec/bundle.md, "Verification". One item that does not parse, and the bundle is not well-formed.
 */

import { type BrokenPromise, decodeBrokenPromise } from '../core/broken-promise.ts';
import { type BundleParts, decodeBundle, type SectionName } from '../core/bundle.ts';
import {
  type BlockItem,
  decodeBlockItem,
  decodeEnrolmentItem,
  decodeHeaderItem,
  decodeOpenedChunk,
  decodeStatementItem,
  type EnrolmentItem,
  type OpenedChunk,
} from '../core/bundle-items.ts';
import { type ChunkHeader, decodeChunkHeader } from '../core/chunk-header.ts';
import { unverifiedPayload } from '../core/cose.ts';
import { type CustodyRecord, decodeCustodyRecord } from '../core/custody-record.ts';
import { decodeEnrolment } from '../core/enrolment.ts';
import { FormatError } from '../core/errors.ts';
import type { HeaderLink } from '../core/evm/header-link.ts';
import { decodeHeaderLink } from '../core/evm/header-link-record.ts';
import { decodeForkProof, type ForkProof } from '../core/fork-proof.ts';
import { decodeGrant, type SignedGrant } from '../core/grant.ts';
import type { Hash } from '../core/hash.ts';
import { decodeJournalBlock, type JournalBlock } from '../core/journal-block.ts';
import {
  type Anchor,
  decodeAnchoredWindow,
  decodeInclusion,
  type Inclusion,
} from '../core/receipt.ts';
import { decodeRegistryFacts, type RegistryFacts } from '../core/registry-facts.ts';
import { decodeSessionRecord, type SessionRecord } from '../core/session-record.ts';
import { decodeStatement, type Statement } from '../core/statement.ts';
import { parseStreamId, type StreamName } from '../core/stream.ts';
import { decodeTimeStamp, type TimeStamp } from '../core/time-stamp.ts';
import { decodeWindowRecord, type WindowRecord } from '../core/window.ts';
import { type AcceptedMessage, decodeAcceptedMessage } from '../core/wire.ts';

/** COSE_Sign1 and what its payload says; the signature is not checked here. */
export type SessionItem = { readonly bytes: Uint8Array; readonly record: SessionRecord };

/** COSE_Sign1 and what its payload says; no signature is checked here. */
export type CustodyItem = { readonly bytes: Uint8Array; readonly record: CustodyRecord };

export type HeaderEntry = {
  readonly payload: Uint8Array;
  readonly signature: Uint8Array | undefined;
  readonly header: ChunkHeader;
};

export type BlockEntry = {
  readonly item: BlockItem;
  readonly payload: Uint8Array;
  readonly block: JournalBlock;
};

export type StatementEntry = {
  /** COSE_Sign1. */
  readonly bytes: Uint8Array;
  readonly statement: Statement;
  readonly proof: readonly Uint8Array[];
};

export type WindowEntry = {
  /** Encoded window record: its SHA-256 is what was anchored. */
  readonly bytes: Uint8Array;
  readonly record: WindowRecord;
  readonly anchors: readonly Anchor[];
};

export type Stream = { readonly id: string; readonly name: StreamName };

export type Evidence = {
  readonly bytes: number;
  readonly digest: Uint8Array;
  readonly digestMatches: boolean;
  readonly unknownSections: readonly number[];
  /** Items and bytes of each section that is there. */
  readonly sections: readonly {
    readonly name: SectionName;
    readonly items: number;
    readonly bytes: number;
  }[];
  /** Ascending by log and number. */
  readonly sessions: readonly SessionItem[];
  /** Not descending by log and seq; that each is there once is a check's business. */
  readonly headers: readonly HeaderEntry[];
  /** Those of the first opened recovered chunk, then those of the next. */
  readonly blocks: readonly BlockEntry[];
  /** Ascending by name. */
  readonly streams: readonly Stream[];
  /** Ascending by log and seq. */
  readonly chunks: readonly OpenedChunk[];
  /** Not descending by log and seq. */
  readonly statements: readonly StatementEntry[];
  readonly inclusions: readonly Inclusion[];
  readonly windows: readonly WindowEntry[];
  /** Their tokens are not looked into here. */
  readonly stamps: readonly TimeStamp[];
  readonly links: readonly HeaderLink[];
  readonly forkProofs: readonly ForkProof[];
  readonly brokenPromises: readonly BrokenPromise[];
  readonly acceptances: readonly AcceptedMessage[];
  readonly enrolments: readonly EnrolmentItem[];
  readonly registry: readonly RegistryFacts[];
  /** That stand alone. */
  readonly custody: readonly CustodyItem[];
  readonly grants: readonly SignedGrant[];
};

/** Each costs a signature and is held against each chunk. */
const MAX_GRANTS = 256;

/** @throws FormatError BUNDLE_*, and those of the items; its message names the item */
export function readEvidence(bytes: Uint8Array, hash: Hash): Evidence {
  const parts = decodeBundle(bytes, hash);
  const evidence = decodeItems(parts);
  requireOrders(evidence);
  return {
    bytes: bytes.length,
    digest: bytes.slice(-32),
    digestMatches: parts.digestMatches,
    unknownSections: parts.unknownSections,
    sections: measured(parts),
    ...evidence,
  };
}

type Items = Omit<Evidence, 'bytes' | 'digest' | 'digestMatches' | 'unknownSections' | 'sections'>;

/** Every item of every section, in the order of their numbers. */
function decodeItems(parts: BundleParts): Items {
  return {
    sessions: items(parts, 'sessions', (item) => ({
      bytes: item,
      record: decodeSessionRecord(unverifiedPayload(item)),
    })),
    headers: items(parts, 'headers', readHeader),
    blocks: items(parts, 'blocks', readBlock),
    streams: items(parts, 'streams', readStream),
    chunks: items(parts, 'leaves', decodeOpenedChunk),
    statements: items(parts, 'statements', readStatement),
    inclusions: items(parts, 'inclusions', decodeInclusion),
    windows: items(parts, 'windows', readWindow),
    stamps: items(parts, 'stamps', decodeTimeStamp),
    links: items(parts, 'links', decodeHeaderLink),
    enrolments: items(parts, 'enrolments', readEnrolmentItem),
    registry: items(parts, 'registry', decodeRegistryFacts),
    grants: readGrants(parts),
    custody: items(parts, 'custody', (item) => ({
      bytes: item,
      record: decodeCustodyRecord(unverifiedPayload(item)),
    })),
    forkProofs: items(parts, 'forkProofs', decodeForkProof),
    brokenPromises: items(parts, 'brokenPromises', decodeBrokenPromise),
    acceptances: items(parts, 'acceptances', decodeAcceptedMessage),
  };
}

/** Only once all items parse: which of two faults a report names must not depend on who reads. */
function requireOrders({ sessions, headers, streams, chunks, statements }: Items): void {
  requireOrder('sessions', sessions, ({ record }) => [record.log, record.number], 'ascending');
  requireOrder('headers', headers, ({ header }) => [header.log, header.seq], 'not descending');
  requireNamesAscend(streams);
  requireOrder('leaves', chunks, ({ log, seq }) => [log, seq], 'ascending');
  requireOrder(
    'statements',
    statements,
    ({ statement }) => [statement.log, statement.seq],
    'not descending',
  );
  requireStreams(streams.length, chunks);
}

/** Its record must parse, so that a bundle is well-formed whatever is checked. */
function readEnrolmentItem(bytes: Uint8Array): EnrolmentItem {
  const item = decodeEnrolmentItem(bytes);
  decodeEnrolment(unverifiedPayload(item.enrolment));
  return item;
}

function readGrants(parts: BundleParts): readonly SignedGrant[] {
  if (parts.sections.grants.length > MAX_GRANTS) {
    throw new FormatError('BUNDLE_ITEMS', `expected at most ${MAX_GRANTS} grants`);
  }
  return items(parts, 'grants', decodeGrant);
}

function items<T>(
  { sections }: BundleParts,
  name: SectionName,
  read: (item: Uint8Array) => T,
): readonly T[] {
  return sections[name].map((item, i) => {
    try {
      return read(item);
    } catch (cause) {
      if (!(cause instanceof FormatError)) throw cause;
      throw new FormatError(cause.code, `${name}, item ${i + 1}: ${cause.message}`, { cause });
    }
  });
}

function readHeader(item: Uint8Array): HeaderEntry {
  const { payload, signature } = decodeHeaderItem(item);
  return { payload, signature, header: decodeChunkHeader(payload) };
}

function readBlock(bytes: Uint8Array): BlockEntry {
  const item = decodeBlockItem(bytes);
  const payload = unverifiedPayload(item.block);
  return { item, payload, block: decodeJournalBlock(payload) };
}

function readStream(item: Uint8Array): Stream {
  // Names are ASCII; any other byte becomes a character that no name may have.
  const id = String.fromCharCode(...item.subarray(0, 512));
  return { id, name: parseStreamId(id) };
}

function readStatement(item: Uint8Array): StatementEntry {
  const { statement: bytes, proof } = decodeStatementItem(item);
  return { bytes, statement: decodeStatement(unverifiedPayload(bytes)), proof };
}

function readWindow(item: Uint8Array): WindowEntry {
  const { record: bytes, anchors } = decodeAnchoredWindow(item);
  return { bytes, record: decodeWindowRecord(bytes), anchors };
}

function requireOrder<T>(
  name: SectionName,
  list: readonly T[],
  placeOf: (item: T) => readonly [number, number],
  order: 'ascending' | 'not descending',
): void {
  let [log, seq] = [-1, -1];
  for (const item of list) {
    const [nextLog, nextSeq] = placeOf(item);
    const isAbove = nextLog > log || (nextLog === log && nextSeq > seq);
    const isSame = nextLog === log && nextSeq === seq;
    if (!isAbove && !(isSame && order === 'not descending')) {
      throw new FormatError(
        'BUNDLE_ITEM_ORDER',
        `${name}: expected ${order} order, got ${nextLog}/${nextSeq} after ${log}/${seq}`,
      );
    }
    [log, seq] = [nextLog, nextSeq];
  }
}

/** Names are ASCII, so that texts compare as their bytes do. */
function requireNamesAscend(streams: readonly Stream[]): void {
  let before: string | undefined;
  for (const { id } of streams) {
    if (before !== undefined && id <= before) {
      throw new FormatError(
        'BUNDLE_ITEM_ORDER',
        `streams: expected ascending order, got ${id} after ${before}`,
      );
    }
    before = id;
  }
}

/** Every leaf has a name, and every name a leaf. */
function requireStreams(count: number, chunks: readonly OpenedChunk[]): void {
  const used = new Uint8Array(count);
  for (const chunk of chunks) {
    for (const { stream } of chunk.leaves) {
      if (stream >= count) {
        throw new FormatError('BUNDLE_STREAM', `expected a stream below ${count}, got ${stream}`);
      }
      used[stream] = 1;
    }
  }
  if (used.includes(0)) {
    throw new FormatError('BUNDLE_STREAM', 'expected every named stream to have a leaf');
  }
}

function measured({ sections }: BundleParts): Evidence['sections'] {
  return (Object.entries(sections) as [SectionName, readonly Uint8Array[]][])
    .filter(([, list]) => list.length > 0)
    .map(([name, list]) => ({
      name,
      items: list.length,
      bytes: list.reduce((sum, item) => sum + item.length, 0),
    }));
}

/**
 * The blocks of each opened recovered chunk, by position of its header. The section has nothing else in it, so
 * their order alone says whose they are.
 */
export function blocksByHeader(evidence: Pick<Evidence, 'headers' | 'chunks' | 'blocks'>): {
  readonly byHeader: ReadonlyMap<number, readonly BlockEntry[]>;
  /** Blocks behind those of the last such chunk. */
  readonly left: number;
} {
  const opened = new Set(evidence.chunks.map(({ log, seq }) => `${log}/${seq}`));
  const byHeader = new Map<number, readonly BlockEntry[]>();
  let at = 0;
  evidence.headers.forEach(({ header: { log, seq, recovered } }, i) => {
    if (recovered === undefined || !opened.has(`${log}/${seq}`)) return;
    const blocks = evidence.blocks.slice(at, at + recovered.blockCount);
    at += blocks.length;
    byHeader.set(i, blocks);
  });
  return { byHeader, left: evidence.blocks.length - at };
}
