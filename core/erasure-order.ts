/**
 * Erasure order: the owner has chunks made unreadable for everybody, on the unit and in the roots that are sealed to the
 * owner. Implements spec/erasure.md.
 */
import { toHex } from './bytes.ts';
import { type CborValue, encodeCbor } from './cbor.ts';
import { isCustodyStream } from './custody-record.ts';
import { FormatError } from './errors.ts';
import { decodeRecord, type Fields, FORMAT_VERSION } from './fields.ts';
import { type Hash, sha256 } from './hash.ts';
import { type KeyNode, nodesWithin } from './key-tree.ts';
import {
  type OwnerSignature,
  type OwnerVerdict,
  ownerSignatureFields,
  readOwnerSignature,
  verifyOwnerSignature,
} from './owner-signature.ts';
import { RECORD } from './record-type.ts';
import { readWord } from './session-record.ts';
import type { Span } from './statement.ts';
import { type TypedData, typedDataDigest } from './typed-data.ts';
import { MAX_SEQ, TAG_BYTES } from './vehicle-log.ts';
import { ADDRESS_BYTES } from './window.ts';

const MAX_ORDER_BYTES = 64 * 1024 * 1024;
const MAX_SPANS = 64;
const MAX_COPIES = 4096;
const MAX_NOTICE_BYTES = 1024 * 1024;
const MAX_ROOTS = 65_536;
const MAX_SEALED_BYTES = 16 * 1024 * 1024;

/** What is to become of chunks that are held for an event. */
export const HELD_CHUNKS = ['kept', 'erased'] as const;

/** By which act a copy was released: the action of its custody record. */
export const RELEASES = ['disclosed', 'exported'] as const;

/** A package or bundle that somebody was given before, with something of the spans: no erasure reaches it. */
export type ReleasedCopy = {
  readonly action: (typeof RELEASES)[number];
  /** SHA-256 of the package or bundle. */
  readonly objectHash: Uint8Array;
  /** Unix seconds, as its custody record says. */
  readonly releasedAtS: number;
};

/** Takes the place of what was sealed to the owner: the same streams, without the nodes of what is erased. */
export type ReplacedRoots = {
  readonly log: number;
  /** Of the batch of streams; `journal` is that of `records/journal`. */
  readonly firstOrdinal: number | 'journal';
  /** SHA-256 of what was sealed: an order that was made before another one would bring back what that one took. */
  readonly replaces: Uint8Array;
  readonly sealed: Uint8Array;
};

/** What an owner orders: all that a notice of it says, too. */
export type ErasureTerms = {
  readonly chainId: bigint;
  /** VehicleRegistry, 20 bytes. */
  readonly contract: Uint8Array;
  readonly owner: Uint8Array;
  readonly tag: Uint8Array;
  readonly epoch: number;
  /** Ascending by log and first seq, none touching another. */
  readonly spans: readonly Span[];
  readonly held: (typeof HELD_CHUNKS)[number];
  readonly reason: string;
  /** Unix seconds, by the owner's machine. */
  readonly orderedAtS: number;
  /** That the owner knows of. */
  readonly copies: readonly ReleasedCopy[];
};

export type ErasureOrder = ErasureTerms & { readonly roots: readonly ReplacedRoots[] };

export type SignedErasureOrder = {
  readonly order: ErasureOrder;
  readonly signature: OwnerSignature;
};

/** An order that was carried out: the same signature, over the roots' hash in the place of the roots. */
export type ErasureNotice = {
  readonly terms: ErasureTerms;
  readonly rootsHash: Uint8Array;
  readonly signature: OwnerSignature;
};

/** What a wallet shows to the owner, who signs it. */
export function erasureTypedData(order: ErasureTerms, rootsHash: Uint8Array): TypedData {
  const { chainId, contract } = order;
  return {
    domain: { chainId, verifyingContract: contract },
    structName: 'Erasure',
    fields: [
      ['address', 'owner', order.owner],
      ['bytes16', 'vehicle', order.tag],
      ['uint64', 'epoch', BigInt(order.epoch)],
      ['string[]', 'chunks', order.spans.map(spanText)],
      ['string', 'held', order.held],
      ['string', 'reason', order.reason],
      ['uint64', 'orderedAt', BigInt(order.orderedAtS)],
      ['string[]', 'copies', order.copies.map(copyText)],
      ['bytes32', 'roots', rootsHash],
    ],
  };
}

/** `0/120-180`: log, first and last chunk. */
function spanText({ log, firstSeq, count }: Span): string {
  return `${log}/${firstSeq}-${firstSeq + count - 1}`;
}

/** `disclosed 8f3a… at 1796010067`: the act, the SHA-256 of the copy in hexadecimal digits, Unix seconds. */
function copyText({ action, objectHash, releasedAtS }: ReleasedCopy): string {
  return `${action} ${toHex(objectHash)} at ${releasedAtS}`;
}

export function rootsHashOf({ roots }: ErasureOrder): Uint8Array {
  return sha256(encodeCbor(roots.map(rootFields)));
}

/** EIP-712 digest, 32 bytes. */
export function erasureDigest(order: ErasureOrder): Uint8Array {
  return typedDataDigest(erasureTypedData(order, rootsHashOf(order)));
}

/** The same digest as of the order. */
export function erasureNoticeDigest({ terms, rootsHash }: ErasureNotice): Uint8Array {
  return typedDataDigest(erasureTypedData(terms, rootsHash));
}

/** What may stay of an order that was carried out: its roots would give the owner what later orders take. */
export function erasureNotice({ order, signature }: SignedErasureOrder): ErasureNotice {
  const { roots: _, ...terms } = order;
  return { terms, rootsHash: rootsHashOf(order), signature };
}

export function encodeErasureOrder({ order, signature }: SignedErasureOrder): Uint8Array {
  return encodeCbor([
    RECORD.erasureOrder,
    FORMAT_VERSION,
    ...termsFields(order),
    order.roots.map(rootFields),
    ownerSignatureFields(signature),
  ]);
}

export function encodeErasureNotice({ terms, rootsHash, signature }: ErasureNotice): Uint8Array {
  return encodeCbor([
    RECORD.erasureNotice,
    FORMAT_VERSION,
    ...termsFields(terms),
    rootsHash,
    ownerSignatureFields(signature),
  ]);
}

function termsFields(terms: ErasureTerms): readonly CborValue[] {
  return [
    terms.chainId,
    terms.contract,
    terms.owner,
    terms.tag,
    terms.epoch,
    terms.spans.map((span) => [span.log, span.firstSeq, span.count]),
    terms.held,
    terms.reason,
    terms.orderedAtS,
    terms.copies.map((copy) => [copy.action, copy.objectHash, copy.releasedAtS]),
  ];
}

function rootFields({ log, firstOrdinal, replaces, sealed }: ReplacedRoots): readonly CborValue[] {
  return [log, firstOrdinal === 'journal' ? [] : [firstOrdinal], replaces, sealed];
}

/** @throws FormatError CBOR_*, RECORD_*, FIELD_*, OWNER_SIGNATURE_FORM, ERASURE_SPANS */
export function decodeErasureOrder(bytes: Uint8Array): SignedErasureOrder {
  const signed = decodeRecord(bytes, RECORD.erasureOrder, readSignedOrder, MAX_ORDER_BYTES);
  assertSpans(signed.order.spans);
  return signed;
}

/** @throws as `decodeErasureOrder` */
export function decodeErasureNotice(bytes: Uint8Array): ErasureNotice {
  const notice = decodeRecord(bytes, RECORD.erasureNotice, readNotice, MAX_NOTICE_BYTES);
  assertSpans(notice.terms.spans);
  return notice;
}

function readNotice(fields: Fields): ErasureNotice {
  return {
    terms: readTerms(fields),
    rootsHash: fields.bytes('roots hash', 32),
    signature: fields.nested('signature', readOwnerSignature),
  };
}

function readSignedOrder(fields: Fields): SignedErasureOrder {
  const order: ErasureOrder = {
    ...readTerms(fields),
    roots: fields.list('roots', MAX_ROOTS, (root) => ({
      log: root.uint('log'),
      firstOrdinal:
        root.optional('first ordinal', (part) => part.uint('first ordinal')) ?? 'journal',
      replaces: root.bytes('replaces', 32),
      sealed: root.bytesUpTo('sealed', MAX_SEALED_BYTES),
    })),
  };
  return { order, signature: fields.nested('signature', readOwnerSignature) };
}

function readTerms(fields: Fields): ErasureTerms {
  return {
    chainId: fields.uint64('chain id'),
    contract: fields.bytes('contract', ADDRESS_BYTES),
    owner: fields.bytes('owner', ADDRESS_BYTES),
    tag: fields.bytes('tag', TAG_BYTES),
    epoch: fields.uint('epoch'),
    spans: fields.list('spans', MAX_SPANS, (span) => ({
      log: span.uint('log'),
      firstSeq: span.uint('first chunk seq', MAX_SEQ),
      count: span.uint('count', MAX_SEQ),
    })),
    held: readWord(fields, 'held', HELD_CHUNKS),
    reason: fields.text('reason', 500),
    orderedAtS: fields.uint('ordered at'),
    copies: fields.list('copies', MAX_COPIES, (copy) => ({
      action: readWord(copy, 'action', RELEASES),
      objectHash: copy.bytes('object hash', 32),
      releasedAtS: copy.uint('released at'),
    })),
  };
}

/** Of one log, both ends included: what an erasure of these spans leaves. */
function seqsOutside(
  spans: readonly Span[],
  log: number,
): readonly { readonly first: number; readonly last: number }[] {
  const ranges: { readonly first: number; readonly last: number }[] = [];
  let next = 0;
  for (const { firstSeq, count } of spans.filter((span) => span.log === log)) {
    if (firstSeq > next) ranges.push({ first: next, last: firstSeq - 1 });
    next = firstSeq + count;
  }
  if (next <= MAX_SEQ) ranges.push({ first: next, last: MAX_SEQ });
  return ranges;
}

/** Of streams of a log, what an erasure leaves. Custody streams stay whole: who read what is told of erased chunks as well. */
export function streamsOutside<
  S extends { readonly name: string; readonly nodes: readonly KeyNode[] },
>(
  streams: readonly S[],
  log: number,
  spans: readonly Span[],
  sha512?: Hash,
): readonly Pick<S, 'name' | 'nodes'>[] {
  const left = seqsOutside(spans, log);
  return streams.map(({ name, nodes }) => ({
    name,
    nodes: isCustodyStream(name)
      ? nodes
      : left.flatMap(({ first, last }) => nodesWithin(nodes, first, last, sha512)),
  }));
}

/** One way to say a span: what touches is one, and nothing stands twice. */
function assertSpans(spans: readonly Span[]): void {
  const isAscending = spans.every(({ log, firstSeq, count }, i) => {
    const before = spans[i - 1];
    const isRange = count > 0 && firstSeq + count - 1 <= MAX_SEQ;
    const follows =
      before === undefined ||
      log > before.log ||
      (log === before.log && firstSeq > before.firstSeq + before.count);
    return isRange && follows;
  });
  if (spans.length === 0 || !isAscending) {
    throw new FormatError('ERASURE_SPANS', 'expected spans of chunks that ascend and do not touch');
  }
}

/** @throws VerificationError OWNER_SIGNATURE_INVALID */
export function verifyErasureOrder({ order, signature }: SignedErasureOrder): OwnerVerdict {
  return verifyOwnerSignature(erasureDigest(order), order.owner, signature);
}

/** @throws VerificationError OWNER_SIGNATURE_INVALID */
export function verifyErasureNotice(notice: ErasureNotice): OwnerVerdict {
  const { terms, signature } = notice;
  return verifyOwnerSignature(erasureNoticeDigest(notice), terms.owner, signature);
}
