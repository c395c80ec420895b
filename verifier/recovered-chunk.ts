/**
 * One opened chunk that was recovered from journal blocks: each leaf proven to the header's root, and those of
 * blocks to their block's root too. Implements spec/journal-block.md, "Verification", rules 5 and 6.
 */
import type { OpenedChunk, OpenedLeaf } from '../core/bundle-items.ts';
import type { ChunkHeader } from '../core/chunk-header.ts';
import { FormatError, VerificationError } from '../core/errors.ts';
import type { Hash } from '../core/hash.ts';
import { hashOfLeaf, leafHash } from '../core/leaf.ts';
import { decodePresenceMap, encodePresenceLeaf } from '../core/presence-leaf.ts';
import { decodePackedBlockLeaf, verifyBlockLeaves, verifyPresence } from '../core/recovered.ts';
import { leafFromPacked } from '../core/sealed-leaf.ts';
import type { BlockEntry, Stream } from './evidence.ts';
import {
  leafTwice,
  nameOf,
  naming,
  type ProvenChunk,
  type ProvenLeaf,
  proveEntries,
} from './opened-chunk.ts';

/** What a presence leaf says; no map at all where the stream is in no block. */
type OpenedPresence = {
  readonly place: number;
  readonly stream: string;
  readonly count: number;
  readonly presentIn: readonly boolean[];
};

/**
 * Whose signatures the heads carry is not looked at here.
 * @param blocks in order
 * @throws FormatError PACKED_LEAF, LEAF_*, BLOCK_LEAF_PACKED, PRESENCE_MAP; VerificationError BLOCK_COUNT,
 * LEAF_INDEX, LEAF_ORDER, LEAF_TWICE, LEAF_HASH_MISMATCH, BLOCK_LEAF, PRESENCE_SUM, MERKLE_*
 */
export function proveRecovered(
  chunk: OpenedChunk,
  header: ChunkHeader,
  blocks: readonly BlockEntry[],
  streams: readonly Stream[],
  hash: Hash,
): ProvenChunk {
  const where = nameOf(chunk);
  const expected = header.recovered?.blockCount ?? 0;
  if (blocks.length !== expected) {
    throw new VerificationError(
      'BLOCK_COUNT',
      `${where}: expected ${expected} blocks, got ${blocks.length}`,
    );
  }
  const blockAt = blocksByIndex(blocks, where);
  const leaves = blocks.map((): ProvenLeaf[] => []);
  const inBlock = blocks.map(() => new Set<number>());
  const presence = new Map<number, OpenedPresence>();
  const entries = proveEntries(chunk, header, streams, hash, (opened, stream) => {
    const block = blockAt.get(opened.index);
    const seen = block === undefined ? presence : inBlock[block];
    if (seen?.has(opened.stream) === true) throw leafTwice(where, stream);
    return naming(`${where}, ${stream.id}`, () => {
      if (block === undefined) {
        const leaf = readPresence(opened, stream, blocks.length);
        presence.set(opened.stream, leaf);
        return leafHash(
          opened.salt,
          encodePresenceLeaf(stream.id, chunk.seq, leaf.presentIn),
          hash,
        );
      }
      inBlock[block]?.add(opened.stream);
      const leaf = leafFromPacked(stream.id, chunk.seq, decodePackedBlockLeaf(opened.packed));
      leaves[block]?.push({ ...leaf, place: opened.stream, name: stream.name });
      return hashOfLeaf(leaf, opened.salt, hash);
    });
  });
  blocks.forEach(({ block, item }, b) => {
    naming(`${where}, block ${b}`, () => {
      verifyBlockLeaves(block, item, (index) => entries.get(index), hash);
    });
  });
  for (const [b, ofBlock] of leaves.entries()) requireMarked(ofBlock, b, presence, where);
  const maps = [...presence.values()];
  naming(where, () =>
    verifyPresence(
      header.entryCount,
      blocks.map(({ block }) => block),
      maps.map(({ count }) => count),
    ),
  );
  return {
    parts: blocks.map(({ block }, b) => ({
      baseNs: block.wallStartNs,
      entryCount: block.entryCount,
      leaves: leaves[b] ?? [],
      isBlock: true,
    })),
    presence: {
      streams: header.entryCount - blocks.reduce((sum, { block }) => sum + block.entryCount, 0),
      leaves: maps,
    },
  };
}

/** Which block says of which leaf of the chunk that it is its own. */
function blocksByIndex(blocks: readonly BlockEntry[], where: string): ReadonlyMap<number, number> {
  const blockAt = new Map<number, number>();
  blocks.forEach(({ item }, b) => {
    for (const { indexInChunk } of item.leaves) {
      if (blockAt.has(indexInChunk)) {
        throw new VerificationError(
          'BLOCK_LEAF',
          `${where}: two blocks name the leaf ${indexInChunk}`,
        );
      }
      blockAt.set(indexInChunk, b);
    }
  });
  return blockAt;
}

function readPresence(opened: OpenedLeaf, stream: Stream, blockCount: number): OpenedPresence {
  const known = { place: opened.stream, stream: stream.id };
  if (opened.packed.length === 0) return { ...known, count: 0, presentIn: [] };
  const { count, body } = decodePackedBlockLeaf(opened.packed);
  const presentIn = decodePresenceMap(body, blockCount);
  if (presentIn.filter(Boolean).length !== count) {
    throw new FormatError('PRESENCE_MAP', `expected ${count} blocks in the map`);
  }
  return { ...known, count, presentIn };
}

/** The session that recovered the chunk may not deny a leaf that the bundle shows. */
function requireMarked(
  leaves: readonly ProvenLeaf[],
  block: number,
  presence: ReadonlyMap<number, OpenedPresence>,
  where: string,
): void {
  for (const { place, stream } of leaves) {
    const map = presence.get(place);
    if (map !== undefined && map.presentIn[block] !== true) {
      throw new FormatError(
        'PRESENCE_MAP',
        `${where}: block ${block} holds a leaf of ${stream}, and the map of that stream does not say so`,
      );
    }
  }
}
