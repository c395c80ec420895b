/** What the unit says in the custody streams of a request that it answered or refused (spec/custody.md). */
import { equalBytes } from '../../core/bytes.ts';
import type { CustodyContent } from '../../core/custody-record.ts';
import { FormatError, VerificationError } from '../../core/errors.ts';
import { type Grant, grantHash, verifyGrant } from '../../core/grant.ts';
import { decodeGrantRequest } from '../../core/grant-request.ts';
import type { Span } from '../../core/statement.ts';

/** Who says it, and when. */
export type Teller = Pick<CustodyContent, 'wallNs' | 'clockSource' | 'actor' | 'tool' | 'toolHash'>;

/** As many as a record holds. */
const MAX_SPANS = 64;
const MAX_DETAIL_BYTES = 500;

export type Released = {
  readonly spans: readonly Span[];
  readonly streams: number;
  readonly leaves: number;
  /** SHA-256 of the package. */
  readonly objectHash: Uint8Array;
};

export function disclosedContent(
  teller: Teller,
  grant: Grant,
  hash: Uint8Array,
  released: Released,
): CustodyContent {
  return {
    ...said(teller),
    action: 'disclosed',
    grantHash: hash,
    objectHash: released.objectHash,
    spans: fewSpans(released.spans),
    streamCount: released.streams,
    leafCount: released.leaves,
    purpose: grant.purpose,
  };
}

/**
 * @param owner who enrolled the unit: a stranger’s grant gets no stream of its own, or anybody could fill the log with them
 */
export function refusedContent(
  teller: Teller,
  request: Uint8Array,
  objectHash: Uint8Array,
  owner: Uint8Array | undefined,
  error: { readonly code: string; readonly message: string },
): CustodyContent {
  const grant = grantOf(request, owner);
  return {
    ...said(teller),
    action: 'refused',
    grantHash: grant && grantHash(grant),
    objectHash,
    purpose: grant?.purpose ?? '',
    detail: short(`${error.code}: ${error.message}`),
  };
}

export function revokedContent(
  teller: Teller,
  hash: Uint8Array,
  objectHash: Uint8Array,
): CustodyContent {
  const detail = 'the owner’s note came to the unit';
  return { ...said(teller), action: 'revoked', grantHash: hash, objectHash, detail };
}

function said(teller: Teller): Omit<CustodyContent, 'action'> {
  return {
    ...teller,
    role: 'agent',
    grantHash: undefined,
    objectHash: undefined,
    spans: [],
    streamCount: 0,
    leafCount: 0,
    purpose: '',
    detail: '',
    signature: undefined,
  };
}

/** Of the owner of this unit; undefined for any other. */
function grantOf(request: Uint8Array, owner: Uint8Array | undefined): Grant | undefined {
  try {
    const { grant } = decodeGrantRequest(request);
    const isOwn = owner !== undefined && equalBytes(grant.grant.owner, owner);
    return isOwn && verifyGrant(grant) === 'verified' ? grant.grant : undefined;
  } catch (error) {
    if (error instanceof FormatError || error instanceof VerificationError) return undefined;
    throw error;
  }
}

/** More than a record holds are named by the stretch that they lie in, one a log. */
function fewSpans(spans: readonly Span[]): readonly Span[] {
  if (spans.length <= MAX_SPANS) return spans;
  const logs = [...new Set(spans.map(({ log }) => log))].slice(-MAX_SPANS);
  return logs.map((log) => {
    const own = spans.filter((span) => span.log === log);
    const firstSeq = own[0]?.firstSeq ?? 0;
    const last = own.at(-1);
    return { log, firstSeq, count: (last?.firstSeq ?? 0) + (last?.count ?? 0) - firstSeq };
  });
}

/** By bytes, and never through a character. */
function short(text: string): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= MAX_DETAIL_BYTES) return text;
  return new TextDecoder().decode(bytes.subarray(0, MAX_DETAIL_BYTES - 3)).replace(/\ufffd+$/, '');
}
