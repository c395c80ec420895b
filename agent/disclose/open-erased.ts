/**
 * Opens what is left of an erased chunk: the leaves of its custody streams, under the entries of the whole tree.
 * Implements spec/erasure.md, "Custody".
 */
import { compareBytes } from '../../core/bytes.ts';
import { decodeChunkBody } from '../../core/chunk-body.ts';
import type { ChunkHeader } from '../../core/chunk-header.ts';
import { FormatError } from '../../core/errors.ts';
import { HANDLE_BYTES } from '../../core/key-tree.ts';
import { HASH_BYTES, MerkleTree } from '../../core/merkle.ts';
import type { CustodyOfErased, Primitives } from '../ports.ts';
import { type DisclosableChunk, type DisclosableStream, openLeaf } from './disclosable-chunk.ts';

const ENTRY_BYTES = HANDLE_BYTES + HASH_BYTES;

/**
 * @param streams of the log, by ordinal
 * @throws FormatError, VerificationError when what is stored is not what was sealed
 */
export function openErased(
  header: ChunkHeader,
  { entries: joined, body }: CustodyOfErased,
  streams: readonly DisclosableStream[],
  primitives: Primitives,
): DisclosableChunk {
  const entries = Array.from({ length: Math.floor(joined.length / ENTRY_BYTES) }, (_, i) =>
    joined.subarray(i * ENTRY_BYTES, (i + 1) * ENTRY_BYTES),
  );
  const leaves = decodeChunkBody(body).map(({ ordinal, sealed }) => {
    const stream = streams[ordinal];
    if (stream === undefined) throw new FormatError('CHUNK_BODY', `no stream ${ordinal}`);
    const leaf = openLeaf(sealed, stream, header, primitives);
    const index = entries.findIndex((entry) => compareBytes(entry, leaf.entry) === 0);
    if (index < 0) throw new FormatError('CHUNK_BODY', 'a leaf that is not in the tree');
    return { ...leaf, index };
  });
  leaves.sort((a, b) => a.index - b.index);
  return { header, leaves, tree: new MerkleTree(entries, primitives.sha256), blocks: [] };
}
