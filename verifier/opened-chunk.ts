/**
 * One opened chunk: its leaves unpacked, proven to the header's root, and decoded back to frames.
 * Implements spec/verification.md, "LEAVES", "STREAMS" and "ORDER".
 */
import { decodeArrivalOrder, type OrderPayload } from '../core/arrival-order.ts';
import type { OpenedChunk, OpenedLeaf } from '../core/bundle-items.ts';
import { compareBytes, equalBytes } from '../core/bytes.ts';
import type { ChunkHeader } from '../core/chunk-header.ts';
import { FormatError, VerificationError } from '../core/errors.ts';
import { CAN_ERR_FLAG } from '../core/frame.ts';
import type { Hash } from '../core/hash.ts';
import { decodePackedLeaf, hashOfLeaf, type Leaf, treeEntry } from '../core/leaf.ts';
import { rootFromProof } from '../core/merkle.ts';
import { decodeRawPayload, type RawFrames } from '../core/raw-payload-decode.ts';
import { leafFromPacked, silentLeaf } from '../core/sealed-leaf.ts';
import { RECORDS, type StreamName } from '../core/stream.ts';
import type { Stream } from './evidence.ts';

/** What a leaf holds, proven to be what was sealed. */
export type ProvenLeaf = Leaf & {
  /** In the section `streams`. */
  readonly place: number;
  readonly name: StreamName;
};

/** Bytes and frames that a verification may still unpack; a bundle must not make it swallow memory or time. */
export type Budget = { bytes: number; frames: number };

/** Enough for any honest bundle: leaves hold about one byte a frame or more, and deflate gains a factor below ten. */
export function budgetFor(bundleBytes: number): Budget {
  return { bytes: (64 << 20) + 16 * bundleBytes, frames: (4 << 20) + 8 * bundleBytes };
}

/**
 * @throws FormatError PACKED_LEAF, LEAF_*, INFLATE_*; VerificationError LEAF_INDEX, LEAF_ORDER, LEAF_TWICE,
 * LEAF_HASH_MISMATCH, LEAF_BUDGET, MERKLE_*; the message names chunk and leaf
 */
export function proveLeaves(
  chunk: OpenedChunk,
  header: ChunkHeader,
  streams: readonly Stream[],
  budget: Budget,
  hash: Hash,
): readonly ProvenLeaf[] {
  const where = `chunk ${chunk.log}/${chunk.seq}`;
  const indexes: number[] = [];
  const entries: Uint8Array[] = [];
  const leaves: ProvenLeaf[] = [];
  const seen = new Set<number>();
  let before: OpenedLeaf | undefined;
  for (const opened of chunk.leaves) {
    const stream = streams[opened.stream];
    if (stream === undefined) throw new RangeError('a leaf of no stream');
    if (opened.index >= header.entryCount) {
      throw new VerificationError(
        'LEAF_INDEX',
        `${where} has ${header.entryCount} entries, got a leaf at ${opened.index}`,
      );
    }
    if (before !== undefined && compareBytes(before.handle, opened.handle) >= 0) {
      throw new VerificationError('LEAF_ORDER', `${where}: the handles do not ascend`);
    }
    if (seen.has(opened.stream)) {
      throw new VerificationError('LEAF_TWICE', `${where} has two leaves of ${stream.id}`);
    }
    seen.add(opened.stream);
    before = opened;
    const leaf = unpack(opened, stream.id, chunk.seq, budget, where);
    indexes.push(opened.index);
    entries.push(treeEntry(opened.handle, hashOfLeaf(leaf, opened.salt, hash)));
    leaves.push({ ...leaf, place: opened.stream, name: stream.name });
  }
  const root = rootFromProof(header.entryCount, indexes, entries, chunk.proof, hash);
  if (!equalBytes(root, header.root)) {
    throw new VerificationError(
      'LEAF_HASH_MISMATCH',
      `${where}: ${namesOf(leaves)} ${leaves.length === 1 ? 'is' : 'are'} not what was sealed`,
    );
  }
  return leaves;
}

function unpack(
  opened: OpenedLeaf,
  stream: string,
  seq: number,
  budget: Budget,
  where: string,
): Leaf {
  if (opened.packed.length === 0) return silentLeaf(stream, seq);
  try {
    const packed = decodePackedLeaf(opened.packed);
    budget.bytes -= packed.inflatedLength;
    if (budget.bytes < 0) {
      throw new VerificationError('LEAF_BUDGET', 'more to unpack than its size explains');
    }
    return leafFromPacked(stream, seq, packed);
  } catch (cause) {
    if (cause instanceof FormatError) {
      throw new FormatError(cause.code, `${where}, ${stream}: ${cause.message}`, { cause });
    }
    if (cause instanceof VerificationError) {
      throw new VerificationError(cause.code, `${where}, ${stream}: ${cause.message}`, { cause });
    }
    throw cause;
  }
}

/** At most three by name: a sentence, not a list. */
function namesOf(leaves: readonly ProvenLeaf[]): string {
  const names = leaves.slice(0, 3).map(({ stream }) => stream);
  const more = leaves.length - names.length;
  return more === 0 ? names.join(', ') : `one of ${names.join(', ')} and ${more} more`;
}

/** The frames of one raw leaf. */
export type StreamFrames = {
  readonly stream: string;
  readonly bus: string;
  readonly frames: RawFrames;
};

/**
 * The frames of a chunk by stream, in the order of the names; silent streams have none.
 * @throws FormatError RAW_*; VerificationError STREAM_FRAME, LEAF_BUDGET
 */
export function decodeFrames(
  leaves: readonly ProvenLeaf[],
  budget: Budget,
): readonly StreamFrames[] {
  const out: StreamFrames[] = [];
  for (const { stream, name, seq, count, payload } of leaves) {
    if (name.kind !== 'raw' || count === 0) continue;
    budget.frames -= count;
    if (budget.frames < 0) {
      throw new VerificationError(
        'LEAF_BUDGET',
        `chunk ${seq}, ${stream}: more frames than the bundle's size explains`,
      );
    }
    let frames: RawFrames;
    try {
      frames = decodeRawPayload(payload, count, name.canId);
    } catch (cause) {
      if (!(cause instanceof FormatError)) throw cause;
      throw new FormatError(cause.code, `chunk ${seq}, ${stream}: ${cause.message}`, { cause });
    }
    requireErrorFrames(stream, seq, frames);
    out.push({ stream, bus: name.bus, frames });
  }
  return out.sort((a, b) => (a.stream < b.stream ? -1 : 1));
}

/** The decoder knows what a stream named after an id may hold; the error stream names none. */
function requireErrorFrames(stream: string, seq: number, frames: RawFrames): void {
  if (!/^raw\/[^/]+\/error$/.test(stream)) return;
  for (const id of frames.id) {
    if ((id & CAN_ERR_FLAG) === 0) {
      throw new VerificationError(
        'STREAM_FRAME',
        `chunk ${seq}, ${stream}: a frame that is no error frame stands in it`,
      );
    }
  }
}

export type ArrivalOrder =
  /** For each frame of the chunk, the position of its stream in `decodeFrames`. */
  { readonly kind: 'recorded'; readonly arrived: Uint32Array } | { readonly kind: 'not_disclosed' };

/**
 * Departures can only be read against all frames of the chunk, so every entry must be open.
 * @throws FormatError ARRIVAL_ORDER
 */
export function arrivalOrder(
  leaves: readonly ProvenLeaf[],
  entryCount: number,
  frames: readonly StreamFrames[],
): ArrivalOrder {
  const order: OrderPayload | undefined = leaves.find(({ stream }) => stream === RECORDS.order);
  if (order === undefined || leaves.length !== entryCount) return { kind: 'not_disclosed' };
  const times = frames.map((stream) => stream.frames.offsetNs);
  return { kind: 'recorded', arrived: decodeArrivalOrder(times, order) };
}
