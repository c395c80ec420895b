/**
 * A recovered chunk: that its header stands for these journal blocks, and its leaves in them.
 * Implements spec/journal-block.md, "Recovered chunk".
 */
import type { BlockItem } from './bundle-items.ts';
import { equalBytes } from './bytes.ts';
import { type BusCounters, type ChunkHeader, type Gap, MAX_GAPS } from './chunk-header.ts';
import { sigStructure, verifySigned } from './cose.ts';
import { FormatError, VerificationError } from './errors.ts';
import { type Hash, sha256 } from './hash.ts';
import { decodeJournalBlock, type JournalBlock } from './journal-block.ts';
import { decodePackedLeaf, type PackedLeaf } from './leaf.ts';
import { verifyLeaves } from './merkle.ts';
import { blocksRoot, blocksSummary } from './recovered-tree.ts';
import type { PublicKey, VerifyDigest } from './signature.ts';

/** The session that wrote the blocks and died: its record's id and its key. */
export type DeadSession = { readonly id: Uint8Array; readonly key: PublicKey };

export type IdentifiedBlock = { readonly block: JournalBlock; readonly id: Uint8Array };

/**
 * @param header with `recovered`
 * @param session none where the chunk was made from no block
 * @returns the blocks in order
 * @throws FormatError COSE_*, CBOR_*, RECORD_*, FIELD_*, BUS_*, BLOCK_PREVIOUS, BLOCK_DURABLE, BLOCK_TIME
 * @throws VerificationError SIGNATURE_INVALID, BLOCK_COUNT, BLOCK_PLACE, BLOCK_CHAIN, BLOCK_ROOT, BLOCK_SUMMARY
 */
export function verifyBlocks(
  header: ChunkHeader,
  session: DeadSession | undefined,
  items: readonly BlockItem[],
  verify: VerifyDigest,
  hash: Hash = sha256,
): readonly JournalBlock[] {
  const expected = header.recovered;
  if (expected === undefined || items.length !== expected.blockCount) {
    throw new VerificationError(
      'BLOCK_COUNT',
      `expected ${expected?.blockCount ?? 0} blocks, got ${items.length}`,
    );
  }
  const structures: Uint8Array[] = [];
  const blocks: JournalBlock[] = [];
  let before: IdentifiedBlock | undefined;
  for (const item of items) {
    if (session === undefined) throw new RangeError('expected the session of the blocks');
    const { payload, id } = verifySigned('journal-block', session.key, item.block, verify);
    const block = decodeJournalBlock(payload);
    if (!equalBytes(block.sessionId, session.id) || block.seq !== header.seq) {
      throw new VerificationError('BLOCK_PLACE', 'a block is of another session or chunk');
    }
    if (block.place !== blocks.length) {
      throw new VerificationError(
        'BLOCK_PLACE',
        `expected block ${blocks.length} of the chunk, got block ${block.place}`,
      );
    }
    if (before !== undefined && !isNextBlock(before, block)) {
      throw new VerificationError('BLOCK_CHAIN', 'the blocks do not follow each other');
    }
    before = { block, id };
    blocks.push(block);
    structures.push(sigStructure('journal-block', session.key, payload));
  }
  if (!equalBytes(blocksRoot(structures, hash), expected.blocksRoot)) {
    throw new VerificationError('BLOCK_ROOT', 'the blocks do not give the root in the header');
  }
  assertSummary(header, blocks);
  return blocks;
}

/** No block of the session is missing in between, and none was written before the one that it follows. */
export function isNextBlock(before: IdentifiedBlock, block: JournalBlock): boolean {
  return (
    equalBytes(block.sessionId, before.block.sessionId) &&
    block.index === before.block.index + 1 &&
    block.durable >= before.block.durable &&
    equalBytes(block.previousId ?? new Uint8Array(0), before.id) &&
    block.monoStartNs >= before.block.monoEndNs
  );
}

/** The header repeats the times of its blocks and adds up what they lost: it may not say less. */
function assertSummary(header: ChunkHeader, blocks: readonly JournalBlock[]): void {
  // Of no block no time follows: its first one is damaged, and the header says so. Nor was anything counted.
  if (blocks.length === 0) {
    if (header.buses.length === 0) return;
    throw new VerificationError('BLOCK_SUMMARY', 'expected no losses of a chunk without a block');
  }
  const expected = blocksSummary(blocks);
  const entries = blocks.reduce((sum, block) => sum + block.entryCount, 0);
  const agrees =
    header.monoStartNs === expected.monoStartNs &&
    header.wallStartNs === expected.wallStartNs &&
    header.monoEndNs === expected.monoEndNs &&
    header.wallEndNs === expected.wallEndNs &&
    header.entryCount >= entries &&
    sameLosses(header.buses, expected.buses) &&
    namesGaps(header.gaps, expected.gaps);
  if (!agrees) {
    throw new VerificationError(
      'BLOCK_SUMMARY',
      'expected the times, the losses, the gaps and the entries of the blocks in the header',
    );
  }
}

/** In any order of the buses. */
function sameLosses(buses: readonly BusCounters[], sums: readonly BusCounters[]): boolean {
  const expected = new Map(sums.map((sum) => [sum.bus, sum]));
  return (
    buses.length === expected.size &&
    buses.every(({ bus, kernelDrops, controllerOverruns, busOffs }) => {
      const sum = expected.get(bus);
      return (
        sum?.kernelDrops === kernelDrops &&
        sum.controllerOverruns === controllerOverruns &&
        sum.busOffs === busOffs
      );
    })
  );
}

/** A header holds 64 gaps: when there are more, its last one stands for the rest. */
function namesGaps(gaps: readonly Gap[], ofBlocks: readonly Gap[]): boolean {
  const last = gaps[MAX_GAPS - 1];
  const isCollected =
    last?.bus === '' &&
    last.cause === 'unknown' &&
    ofBlocks
      .slice(MAX_GAPS - 1)
      .every(({ fromNs, toNs }) => last.fromNs <= fromNs && toNs <= last.toNs);
  const named = isCollected ? ofBlocks.slice(0, MAX_GAPS - 1) : ofBlocks;
  return named.every(({ bus, fromNs, toNs, cause }, i) => {
    const gap = gaps[i];
    return gap?.bus === bus && gap.fromNs === fromNs && gap.toNs === toNs && gap.cause === cause;
  });
}

/**
 * How many leaves the streams have in the blocks, by their presence leaves and by the blocks.
 * @param counts of the opened presence leaves
 * @returns whether all are open; otherwise silence in a block is what the recovering session claims
 * @throws VerificationError PRESENCE_SUM
 */
export function verifyPresence(
  chunkEntryCount: number,
  blocks: readonly Pick<JournalBlock, 'entryCount'>[],
  counts: readonly number[],
): boolean {
  const inBlocks = blocks.reduce((sum, { entryCount }) => sum + entryCount, 0);
  const present = counts.reduce((sum, count) => sum + count, 0);
  const areAllOpen = counts.length === chunkEntryCount - inBlocks;
  if (counts.length > chunkEntryCount - inBlocks || (areAllOpen && present !== inBlocks)) {
    throw new VerificationError(
      'PRESENCE_SUM',
      `expected presence leaves of ${inBlocks} leaves in the blocks, got ${present}`,
    );
  }
  return areAllOpen;
}

/**
 * A block's nonce outlives attempts to recover, so what its keys encrypt must follow from the leaf.
 * @throws FormatError PACKED_LEAF, LEAF_COUNT, LEAF_PAYLOAD, BLOCK_LEAF_PACKED
 */
export function decodePackedBlockLeaf(bytes: Uint8Array): PackedLeaf {
  const packed = decodePackedLeaf(bytes);
  if (packed.inflatedLength !== 0) {
    throw new FormatError('BLOCK_LEAF_PACKED', 'expected a leaf of a block without compression');
  }
  return packed;
}

/**
 * That the leaves which an item names stand in its block as they stand in the chunk.
 * @param entryAt the chunk's opened entry (`handle ‖ leafHash`) at an index
 * @throws VerificationError BLOCK_LEAF, MERKLE_*
 */
export function verifyBlockLeaves(
  block: JournalBlock,
  item: BlockItem,
  entryAt: (indexInChunk: number) => Uint8Array | undefined,
  hash: Hash = sha256,
): void {
  const entries = item.leaves.map(({ indexInChunk }) => entryAt(indexInChunk));
  const opened = entries.filter((entry) => entry !== undefined);
  if (opened.length !== entries.length || (opened.length === 0 && item.proof.length > 0)) {
    throw new VerificationError('BLOCK_LEAF', 'a block names a leaf that is not opened');
  }
  if (opened.length === 0) return;
  const indexes = item.leaves.map(({ indexInBlock }) => indexInBlock);
  verifyLeaves(block.root, block.entryCount, indexes, opened, item.proof, hash);
}
