/**
 * Who stands behind what: sessions by their device key, headers and statements by their session, headers by
 * the statement that covers them. Computes ids once; believes nothing, checks no signature.
 * Implements spec/verification.md, "Trail".
 */
import { equalBytes, toHex } from '../core/bytes.ts';
import { sigStructure, unverifiedPayload } from '../core/cose.ts';
import type { Enrolment } from '../core/enrolment.ts';
import { FormatError, VerificationError } from '../core/errors.ts';
import type { Hash } from '../core/hash.ts';
import type { PublicKey } from '../core/signature.ts';
import {
  type BlockEntry,
  blocksByHeader,
  type Evidence,
  type HeaderEntry,
  type SessionItem,
  type StatementEntry,
} from './evidence.ts';
import { deviceOf, type TrustedDevice } from './trusted-devices.ts';

export type SessionTrail = SessionItem & {
  /** None when the policy names neither it nor an owner who enrolled it. */
  readonly deviceKey: PublicKey | undefined;
  /** By which an owner whom the policy names took the key; none where it names the key. */
  readonly enrolledBy: Enrolment | undefined;
  readonly id: Uint8Array | undefined;
};

export type HeaderTrail = HeaderEntry & {
  readonly session: SessionTrail | undefined;
  /** What the session signed, and the header's id; none without a session. */
  readonly signed: { readonly structure: Uint8Array; readonly id: Uint8Array } | undefined;
  /** Position of the statement that covers it. */
  readonly statement: number | undefined;
  /** Of an opened recovered chunk: what the dead session signed. */
  readonly journal: JournalTrail | undefined;
};

export type JournalTrail = {
  readonly blocks: readonly BlockEntry[];
  /** That the first block names. */
  readonly session: SessionTrail | undefined;
};

export type CoveredHeader = { readonly leafIndex: number; readonly header: number };

export type StatementTrail = StatementEntry & {
  readonly session: SessionTrail | undefined;
  readonly id: Uint8Array | undefined;
  /** The headers of the bundle that it covers, ascending by leaf index. */
  readonly covers: readonly CoveredHeader[];
  /** A header that an earlier statement of the bundle covers already; what follows it was not looked at. */
  readonly coversAgain: number | undefined;
};

export type Trail = {
  readonly sessions: readonly SessionTrail[];
  readonly headers: readonly HeaderTrail[];
  readonly statements: readonly StatementTrail[];
  /** Journal blocks of no opened recovered chunk. */
  readonly strayBlocks: number;
};

export function readTrail(
  evidence: Evidence,
  devices: readonly TrustedDevice[],
  hash: Hash,
): Trail {
  const sessions = evidence.sessions.map((item) => {
    const device = deviceOf(devices, item.record);
    const id = idOf('session-record', device?.key, unverifiedPayload(item.bytes), hash)?.id;
    return { ...item, deviceKey: device?.key, enrolledBy: device?.enrolment, id };
  });
  const byId = new Map<string, SessionTrail>();
  for (const session of sessions) {
    if (session.id !== undefined) byId.set(toHex(session.id), session);
  }
  const { coveredBy, statements } = cover(evidence);
  const { byHeader, left } = blocksByHeader(evidence);
  return {
    sessions,
    headers: evidence.headers.map((entry, i) => {
      const session = byId.get(toHex(entry.header.sessionId));
      const key = session?.record.sessionKey;
      const signed = idOf('chunk-header', key, entry.payload, hash);
      const blocks = byHeader.get(i);
      const dead = byId.get(toHex(blocks?.[0]?.block.sessionId ?? new Uint8Array(0)));
      const journal = blocks === undefined ? undefined : { blocks, session: dead };
      return { ...entry, session, signed, statement: coveredBy.get(i), journal };
    }),
    statements: statements.map((entry) => {
      const session = byId.get(toHex(entry.statement.sessionId));
      const payload = unverifiedPayload(entry.bytes);
      const id = idOf('statement', session?.record.sessionKey, payload, hash)?.id;
      return { ...entry, session, id };
    }),
    strayBlocks: left,
  };
}

/** None when the key is not known, or is no point of its curve: then nothing can have been signed by it. */
function idOf(
  kind: 'session-record' | 'chunk-header' | 'statement',
  key: PublicKey | undefined,
  payload: Uint8Array,
  hash: Hash,
): HeaderTrail['signed'] {
  if (key === undefined) return undefined;
  try {
    const structure = sigStructure(kind, key, payload);
    return { structure, id: hash(structure) };
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

type Covering = Omit<StatementTrail, 'session' | 'id'>;

/** Looks at each header once, however many statements claim it, so that hostile spans cost no time. */
function cover(evidence: Evidence): {
  readonly coveredBy: ReadonlyMap<number, number>;
  readonly statements: readonly Covering[];
} {
  const coveredBy = new Map<number, number>();
  const statements = evidence.statements.map((entry, position) => {
    const covers: CoveredHeader[] = [];
    let before = 0;
    for (const span of entry.statement.spans) {
      const end = span.firstSeq + span.count;
      let i = firstAt(evidence.headers, span.log, span.firstSeq);
      for (; i < evidence.headers.length; i++) {
        const header = evidence.headers[i]?.header;
        if (header === undefined || header.log !== span.log || header.seq >= end) break;
        if (coveredBy.has(i)) return { ...entry, covers, coversAgain: i };
        coveredBy.set(i, position);
        covers.push({ leafIndex: before + header.seq - span.firstSeq, header: i });
      }
      before += span.count;
    }
    return { ...entry, covers, coversAgain: undefined };
  });
  return { coveredBy, statements };
}

/** Position of the first header at or after (log, seq). */
function firstAt(headers: readonly HeaderEntry[], log: number, seq: number): number {
  let [low, high] = [0, headers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const header = headers[middle]?.header;
    if (header !== undefined && (header.log < log || (header.log === log && header.seq < seq))) {
      low = middle + 1;
    } else high = middle;
  }
  return low;
}

/**
 * The header of an opened chunk, and its position.
 * @throws VerificationError LEAF_HEADER_MISSING
 */
export function headerOf<T extends HeaderEntry>(
  headers: readonly T[],
  { log, seq }: { readonly log: number; readonly seq: number },
): { readonly entry: T; readonly at: number } {
  const at = firstAt(headers, log, seq);
  const entry = headers[at];
  if (entry?.header.log !== log || entry.header.seq !== seq) {
    throw new VerificationError(
      'LEAF_HEADER_MISSING',
      `chunk ${log}/${seq} is opened, but its header is not in the bundle`,
    );
  }
  return { entry, at };
}

export function sameId(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equalBytes(a, b);
}

/** Whose frames a chunk holds; unknown where a recovered chunk is not opened. None where it has no block. */
export function sessionOfContents(entry: HeaderTrail): SessionTrail | 'unknown' | undefined {
  const { header, journal, session } = entry;
  if (header.recovered === undefined) return session;
  if (header.recovered.blockCount === 0) return undefined;
  return journal?.session ?? 'unknown';
}
