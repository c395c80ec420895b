/**
 * Opens one stored chunk that was recovered from journal blocks: the leaves of every block, the presence leaf of
 * every stream, and the tree over all of them. Implements spec/journal-block.md, "Recovered chunk".
 */
import { equalBytes } from '../../core/bytes.ts';
import { decodeRecoveredBody, type RecoveredBlock } from '../../core/chunk-body.ts';
import type { ChunkHeader } from '../../core/chunk-header.ts';
import { unverifiedPayload } from '../../core/cose.ts';
import { FormatError, VerificationError } from '../../core/errors.ts';
import { decodeJournalBlock } from '../../core/journal-block.ts';
import { leafSecrets } from '../../core/key-tree.ts';
import { decodePackedLeaf, encodePackedLeaf, leafHash, treeEntry } from '../../core/leaf.ts';
import { decodePresenceMap, encodePresenceLeaf } from '../../core/presence-leaf.ts';
import { openSealedLeaf } from '../../core/sealed-leaf.ts';
import type { Primitives } from '../ports.ts';
import {
  type DisclosableBlock,
  type DisclosableChunk,
  type DisclosableLeaf,
  type DisclosableStream,
  openLeaf,
  treeOver,
} from './disclosable-chunk.ts';

/**
 * @param streams of the log, by ordinal
 * @throws FormatError, VerificationError when what is stored is not what was sealed
 */
export function openRecovered(
  header: ChunkHeader,
  body: Uint8Array,
  streams: readonly DisclosableStream[],
  primitives: Primitives,
): DisclosableChunk {
  const stored = decodeRecoveredBody(body);
  const blocks = stored.blocks.map((block) => openBlock(header, block, streams, primitives));
  const inBlocks = blocks.reduce((sum, { leaves }) => sum + leaves.length, 0);
  const sealed = new Map(stored.presence.map((leaf) => [leaf.ordinal, leaf.sealed]));
  // What the blocks do not have are the presence leaves: one for each stream that was announced by then.
  const presence = streams
    .slice(0, header.entryCount - inBlocks)
    .map((stream, ordinal) =>
      openPresence(header, stream, sealed.get(ordinal), blocks.length, primitives),
    );
  const all = [...blocks.flatMap(({ leaves }) => leaves), ...presence];
  const { leaves, tree } = treeOver(all, primitives.sha256);
  return { header, leaves, tree, blocks };
}

/** Ascending by handle, as its root is over them. */
function openBlock(
  header: ChunkHeader,
  stored: RecoveredBlock,
  streams: readonly DisclosableStream[],
  primitives: Primitives,
): DisclosableBlock {
  const { nonce, root } = decodeJournalBlock(unverifiedPayload(stored.head));
  const opened = stored.leaves.map(({ ordinal, sealed }): DisclosableLeaf => {
    const stream = streams[ordinal];
    if (stream === undefined) {
      throw new FormatError('CHUNK_BODY', `expected a stream of the log, got ordinal ${ordinal}`);
    }
    return openLeaf(sealed, stream, { ...header, nonce }, primitives);
  });
  const { leaves, tree } = treeOver(opened, primitives.sha256);
  if (!equalBytes(tree.root(), root)) {
    throw new VerificationError('MERKLE_ROOT_MISMATCH', 'a block is not what was signed');
  }
  return { head: stored.head, leaves, tree };
}

function openPresence(
  header: ChunkHeader,
  stream: DisclosableStream,
  sealed: Uint8Array | undefined,
  blockCount: number,
  { sha256, sha512, aead }: Primitives,
): DisclosableLeaf {
  const secrets = leafSecrets(stream.keys.nodeOf(header.seq), header.nonce, sha512);
  const { handle, salt } = secrets;
  const packed =
    sealed === undefined
      ? new Uint8Array(0)
      : encodePackedLeaf(openSealedLeaf(sealed, header, secrets, aead));
  const presentIn =
    sealed === undefined ? [] : decodePresenceMap(decodePackedLeaf(packed).body, blockCount);
  const hash = leafHash(salt, encodePresenceLeaf(stream.name, header.seq, presentIn), sha256);
  const entry = treeEntry(handle, hash);
  return { stream: stream.name, handle, salt, packed, sealed: sealed ?? new Uint8Array(0), entry };
}
