/**
 * Erasure order: the owner has chunks made unreadable for everybody, on the unit and in the roots that are sealed to the
 * owner. Implements spec/erasure.md.
 */
import { type CborValue, encodeCbor } from './cbor.ts';
import { FormatError } from './errors.ts';
import { decodeRecord, type Fields, FORMAT_VERSION } from './fields.ts';
import { sha256 } from './hash.ts';
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
const MAX_ROOTS = 65_536;
const MAX_SEALED_BYTES = 16 * 1024 * 1024;

/** What is to become of chunks that are held for an event. */
export const HELD_CHUNKS = ['kept', 'erased'] as const;

/** Takes the place of what was sealed to the owner: the same streams, without the nodes of what is erased. */
export type ReplacedRoots = {
  readonly log: number;
  /** Of the batch of streams; `journal` is that of `records/journal`. */
  readonly firstOrdinal: number | 'journal';
  /** SHA-256 of what was sealed: an order that was made before another one would bring back what that one took. */
  readonly replaces: Uint8Array;
  readonly sealed: Uint8Array;
};

export type ErasureOrder = {
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
  readonly roots: readonly ReplacedRoots[];
};

export type SignedErasureOrder = {
  readonly order: ErasureOrder;
  readonly signature: OwnerSignature;
};

/** What a wallet shows to the owner, who signs it. */
export function erasureTypedData(order: ErasureOrder): TypedData {
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
      ['bytes32', 'roots', sha256(encodeCbor(order.roots.map(rootFields)))],
    ],
  };
}

/** `0/120-180`: log, first and last chunk. */
function spanText({ log, firstSeq, count }: Span): string {
  return `${log}/${firstSeq}-${firstSeq + count - 1}`;
}

/** EIP-712 digest, 32 bytes. */
export function erasureDigest(order: ErasureOrder): Uint8Array {
  return typedDataDigest(erasureTypedData(order));
}

export function encodeErasureOrder({ order, signature }: SignedErasureOrder): Uint8Array {
  return encodeCbor([
    RECORD.erasureOrder,
    FORMAT_VERSION,
    order.chainId,
    order.contract,
    order.owner,
    order.tag,
    order.epoch,
    order.spans.map((span) => [span.log, span.firstSeq, span.count]),
    order.held,
    order.reason,
    order.orderedAtS,
    order.roots.map(rootFields),
    ownerSignatureFields(signature),
  ]);
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

function readSignedOrder(fields: Fields): SignedErasureOrder {
  const order: ErasureOrder = {
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

/** Of one log, both ends included: what an erasure of these spans leaves. */
export function seqsOutside(
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
