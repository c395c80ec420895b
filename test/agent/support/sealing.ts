/** Seals slices without a disk, and opens what was sealed. */

import { ChunkSealer, type SealedChunk } from '../../../agent/chunk/chunk-sealer.ts';
import { Chunker, type Slice } from '../../../agent/chunk/chunker.ts';
import { PortableSealing } from '../../../agent/chunk/portable-sealing.ts';
import { StreamTable } from '../../../agent/chunk/stream-table.ts';
import type { DisclosableChunk } from '../../../agent/disclose/disclosable-chunk.ts';
import { openChunk } from '../../../agent/disclose/open-chunk.ts';
import type { LeafSealing, SourceBlock, StoredChunk, StoredStream } from '../../../agent/ports.ts';
import type { Frame } from '../../../core/frame.ts';
import { KeyNodesWalk } from '../../../core/key-walks.ts';
import { decodePackedLeaf, type Leaf } from '../../../core/leaf.ts';
import { decodeRecordsPayload } from '../../../core/records-payload.ts';
import { leafFromPacked, silentLeaf } from '../../../core/sealed-leaf.ts';
import { ephemeralSigner } from '../../../hw/keys/file-signer.ts';
import { blocksOf } from './blocks.ts';
import { PRIMITIVES } from './primitives.ts';

const BUSES = ['can0', 'can1'] as const;
const TAG = new Uint8Array(16).fill(7);
const SESSION = {
  tag: TAG,
  epoch: 0,
  log: 0,
  sessionId: new Uint8Array(32).fill(9),
  signer: ephemeralSigner(),
};
export const SESSION_KEY = SESSION.signer.key;

type Last = { readonly seq: number; readonly id: Uint8Array };

/** One run of an agent: its streams and its sealer. */
export function newSealer(
  known: readonly StoredStream[] = [],
  last?: Last,
  sealing: LeafSealing = new PortableSealing(PRIMITIVES),
): { readonly sealer: ChunkSealer; readonly streams: StreamTable } {
  const streams = new StreamTable(known, sealing, PRIMITIVES.random);
  const { random, sha256 } = PRIMITIVES;
  const parts = { streams, sealing, random, sha256 };
  const end = { last, announced: known.length };
  return { streams, sealer: new ChunkSealer(SESSION, parts, () => undefined, end) };
}

export function sealFrames(
  frames: readonly Frame[],
  sealer: ChunkSealer = newSealer().sealer,
  durationMs = 1000,
): readonly SealedChunk[] {
  return sealBlocks(blocksOf(frames, 4096), sealer, durationMs);
}

export function sealBlocks(
  blocks: Iterable<SourceBlock>,
  sealer: ChunkSealer,
  durationMs = 1000,
): readonly SealedChunk[] {
  const chunks: SealedChunk[] = [];
  const seal = (slice: Slice): void => {
    chunks.push(sealer.seal(slice, BUSES));
  };
  const chunker = new Chunker(durationMs, BUSES, seal);
  for (const block of blocks) chunker.push(block);
  chunker.end({ count: 0, firstLine: 0, firstReason: '' });
  return chunks;
}

/** Streams by ordinal, as a spool would hold them. */
export function rootsOf(chunks: readonly SealedChunk[]): readonly StoredStream[] {
  return chunks.flatMap((chunk) => chunk.freshStreams);
}

export function open(chunk: SealedChunk, roots: readonly StoredStream[]): DisclosableChunk {
  const archive = {
    identity: () => undefined,
    streams: () => roots,
    sessions: () => [],
    lastChunk: () => undefined,
    chunks: () => [],
    statementsOver: () => [],
    window: () => undefined,
    links: () => [],
    linksFrom: () => [],
    stampOf: () => undefined,
    promises: () => [],
    custodyChunks: () => [],
    body: () => chunk.body,
    custodyOfErased: () => undefined,
  };
  const stored: StoredChunk = {
    ...{ log: 0, seq: chunk.seq, session: 0, header: chunk.header, signature: chunk.signature },
    ...{ frames: chunk.frameCount, bodyBytes: chunk.body.length, cursor: 0 },
    ...{ announced: roots.length, statement: undefined },
  };
  const streams = roots.map(({ name, nodes }) => ({
    name,
    keys: new KeyNodesWalk(nodes, PRIMITIVES.sha512),
  }));
  return openChunk(archive, stored, streams, PRIMITIVES);
}

/** What a chunk says in one stream. */
export function leafOf(
  chunk: SealedChunk,
  roots: readonly StoredStream[],
  stream: string,
): Leaf | undefined {
  const { header, leaves } = open(chunk, roots);
  const found = leaves.find((leaf) => leaf.stream === stream);
  if (found === undefined) return undefined;
  if (found.packed.length === 0) return silentLeaf(stream, header.seq);
  return leafFromPacked(stream, header.seq, decodePackedLeaf(found.packed));
}

export function recordsOf(
  chunk: SealedChunk,
  roots: readonly StoredStream[],
  stream: string,
): readonly Uint8Array[] {
  const leaf = leafOf(chunk, roots, stream);
  return leaf === undefined ? [] : decodeRecordsPayload(leaf.payload, leaf.count);
}
