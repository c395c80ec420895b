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

/** Leaves whose frames have one base and one arrival order: all of a chunk, or those of one journal block. */
export type ChunkPart = {
  /** What the stamps count from. */
  readonly baseNs: bigint;
  readonly entryCount: number;
  readonly leaves: readonly ProvenLeaf[];
  /** A block has no silent leaves, so without an order leaf its frames came as implied. */
  readonly isBlock: boolean;
};

/** One opened chunk, as its header's root proves it. */
export type ProvenChunk = {
  readonly parts: readonly ChunkPart[];
  /** Of a recovered chunk: in how many blocks each opened stream is, and whether all streams are opened. */
  readonly presence: Presence | undefined;
};

export type Presence = {
  /** How many streams the chunk has. */
  readonly streams: number;
  readonly leaves: readonly {
    readonly place: number;
    readonly stream: string;
    /** Number of blocks that hold a leaf of the stream. */
    readonly count: number;
  }[];
};

/**
 * @throws FormatError PACKED_LEAF, LEAF_*, INFLATE_*; VerificationError LEAF_INDEX, LEAF_ORDER, LEAF_TWICE,
 * LEAF_HASH_MISMATCH, LEAF_BUDGET, MERKLE_*; the message names chunk and leaf
 */
export function proveChunk(
  chunk: OpenedChunk,
  header: ChunkHeader,
  streams: readonly Stream[],
  budget: Budget,
  hash: Hash,
): ProvenChunk {
  const where = nameOf(chunk);
  const leaves: ProvenLeaf[] = [];
  const seen = new Set<number>();
  proveEntries(chunk, header, streams, hash, (opened, stream) => {
    if (seen.has(opened.stream)) throw leafTwice(where, stream);
    seen.add(opened.stream);
    const leaf = unpack(opened, stream.id, chunk.seq, budget, where);
    leaves.push({ ...leaf, place: opened.stream, name: stream.name });
    return hashOfLeaf(leaf, opened.salt, hash);
  });
  const { wallStartNs: baseNs, entryCount } = header;
  return { parts: [{ baseNs, entryCount, leaves, isBlock: false }], presence: undefined };
}

export function leafTwice(where: string, stream: Stream): VerificationError {
  return new VerificationError('LEAF_TWICE', `${where} has two leaves of ${stream.id}`);
}

/**
 * That the opened leaves lead to the header's root.
 * @param hashOf the leaf hash of an opened leaf; called in order
 * @returns the entries, `handle ‖ leafHash`, by index
 * @throws VerificationError LEAF_INDEX, LEAF_ORDER, LEAF_HASH_MISMATCH, MERKLE_*
 */
export function proveEntries(
  chunk: OpenedChunk,
  header: ChunkHeader,
  streams: readonly Stream[],
  hash: Hash,
  hashOf: (opened: OpenedLeaf, stream: Stream) => Uint8Array,
): ReadonlyMap<number, Uint8Array> {
  const where = nameOf(chunk);
  const entries = new Map<number, Uint8Array>();
  let before: OpenedLeaf | undefined;
  for (const opened of chunk.leaves) {
    if (opened.index >= header.entryCount) {
      throw new VerificationError(
        'LEAF_INDEX',
        `${where} has ${header.entryCount} entries, got a leaf at ${opened.index}`,
      );
    }
    if (before !== undefined && compareBytes(before.handle, opened.handle) >= 0) {
      throw new VerificationError('LEAF_ORDER', `${where}: the handles do not ascend`);
    }
    before = opened;
    const hashed = hashOf(opened, streamOf(opened, streams));
    entries.set(opened.index, treeEntry(opened.handle, hashed));
  }
  const root = rootFromProof(
    header.entryCount,
    [...entries.keys()],
    [...entries.values()],
    chunk.proof,
    hash,
  );
  if (!equalBytes(root, header.root)) {
    throw new VerificationError(
      'LEAF_HASH_MISMATCH',
      `${where}: ${namesOf(chunk, streams)} ${chunk.leaves.length === 1 ? 'is' : 'are'} not what was sealed`,
    );
  }
  return entries;
}

function streamOf({ stream: place }: OpenedLeaf, streams: readonly Stream[]): Stream {
  const stream = streams[place];
  if (stream === undefined) throw new RangeError('a leaf of no stream');
  return stream;
}

export function nameOf({ log, seq }: Pick<OpenedChunk, 'log' | 'seq'>): string {
  return `chunk ${log}/${seq}`;
}

function unpack(
  opened: OpenedLeaf,
  stream: string,
  seq: number,
  budget: Budget,
  where: string,
): Leaf {
  if (opened.packed.length === 0) return silentLeaf(stream, seq);
  return naming(`${where}, ${stream}`, () => {
    const packed = decodePackedLeaf(opened.packed);
    budget.bytes -= packed.inflatedLength;
    if (budget.bytes < 0) {
      throw new VerificationError('LEAF_BUDGET', 'more to unpack than its size explains');
    }
    return leafFromPacked(stream, seq, packed);
  });
}

/** Says in the message of an error where it was. */
export function naming<T>(place: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof FormatError) {
      throw new FormatError(cause.code, `${place}: ${cause.message}`, { cause });
    }
    if (cause instanceof VerificationError) {
      throw new VerificationError(cause.code, `${place}: ${cause.message}`, { cause });
    }
    throw cause;
  }
}

/** At most three by name: a sentence, not a list. */
function namesOf({ leaves }: OpenedChunk, streams: readonly Stream[]): string {
  const all = [...new Set(leaves.map((leaf) => streamOf(leaf, streams).id))];
  const names = all.slice(0, 3);
  const more = all.length - names.length;
  return more === 0 ? names.join(', ') : `one of ${names.join(', ')} and ${more} more`;
}

/** The frames of one raw leaf. */
export type StreamFrames = {
  readonly stream: string;
  readonly bus: string;
  readonly frames: RawFrames;
};

/**
 * The frames of a part by stream, in the order of the names; silent streams have none.
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
    const frames = naming(`chunk ${seq}, ${stream}`, () =>
      decodeRawPayload(payload, count, name.canId),
    );
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
  /** For each frame of the part, the position of its stream in `decodeFrames`. */
  { readonly kind: 'recorded'; readonly arrived: Uint32Array } | { readonly kind: 'not_disclosed' };

/**
 * Departures can only be read against all frames of the part, so every entry must be open.
 * @throws FormatError ARRIVAL_ORDER
 */
export function arrivalOrder(part: ChunkPart, frames: readonly StreamFrames[]): ArrivalOrder {
  const { leaves, entryCount, isBlock } = part;
  const found: OrderPayload | undefined = leaves.find(({ stream }) => stream === RECORDS.order);
  const order = found ?? (isBlock ? NO_DEPARTURES : undefined);
  if (order === undefined || leaves.length !== entryCount) return { kind: 'not_disclosed' };
  const times = frames.map((stream) => stream.frames.offsetNs);
  return { kind: 'recorded', arrived: decodeArrivalOrder(times, order) };
}

const NO_DEPARTURES: OrderPayload = { count: 0, payload: new Uint8Array(0) };
