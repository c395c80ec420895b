/**
 * Opens one stored chunk: every stream's leaf again, and the tree that they give.
 * Implements spec/keys.md and spec/leaf.md, "Verification".
 */
import { compareBytes, equalBytes } from '../../core/bytes.ts';
import { decodeChunkBody } from '../../core/chunk-body.ts';
import { type ChunkHeader, decodeChunkHeader } from '../../core/chunk-header.ts';
import { FormatError, OperationalError, VerificationError } from '../../core/errors.ts';
import { type KeyTreeWalk, leafSecrets } from '../../core/key-tree.ts';
import { encodePackedLeaf, hashOfLeaf, treeEntry } from '../../core/leaf.ts';
import { MerkleTree } from '../../core/merkle.ts';
import { leafFromPacked, openSealedLeaf, silentLeaf } from '../../core/sealed-leaf.ts';
import type { Archive, Primitives, StoredChunk } from '../ports.ts';

export type DisclosableStream = { readonly name: string; readonly keys: KeyTreeWalk };

/** A leaf with all that a stranger needs to check it. */
export type DisclosableLeaf = {
  readonly stream: string;
  readonly handle: Uint8Array;
  readonly salt: Uint8Array;
  /** Empty when silent. */
  readonly packed: Uint8Array;
  readonly entry: Uint8Array;
};

export type DisclosableChunk = {
  readonly header: ChunkHeader;
  /** In the order of the chunk tree. */
  readonly leaves: readonly DisclosableLeaf[];
  readonly tree: MerkleTree;
};

/**
 * @param streams of the log, by ordinal
 * @throws OperationalError SPOOL_DAMAGED when what is stored is not what was sealed, SPOOL_BODY_MISSING
 */
export function openChunk(
  archive: Archive,
  stored: StoredChunk,
  streams: readonly DisclosableStream[],
  primitives: Primitives,
): DisclosableChunk {
  try {
    return openSound(archive, stored, streams, primitives);
  } catch (cause) {
    // The unit sealed it itself, so whatever does not parse or open was changed on the disk.
    if (!(cause instanceof FormatError || cause instanceof VerificationError)) throw cause;
    throw damaged(stored.seq, cause);
  }
}

function openSound(
  archive: Archive,
  stored: StoredChunk,
  streams: readonly DisclosableStream[],
  primitives: Primitives,
): DisclosableChunk {
  const header = decodeChunkHeader(stored.header);
  const { sha256, sha512, aead } = primitives;
  const sealed = new Map(
    decodeChunkBody(archive.body(stored.log, stored.seq)).map((leaf) => [
      leaf.ordinal,
      leaf.sealed,
    ]),
  );
  // Streams have a leaf in every chunk from their first on, so the chunk has the first ones by ordinal.
  const leaves = streams.slice(0, header.entryCount).map((stream, ordinal) => {
    const secrets = leafSecrets(stream.keys.nodeOf(header.seq), header.nonce, sha512);
    const { handle, salt } = secrets;
    const ciphertext = sealed.get(ordinal);
    if (ciphertext === undefined) {
      const hash = hashOfLeaf(silentLeaf(stream.name, header.seq), salt, sha256);
      const packed = new Uint8Array(0);
      return { stream: stream.name, handle, salt, packed, entry: treeEntry(handle, hash) };
    }
    const packed = openSealedLeaf(ciphertext, header, secrets, aead);
    const hash = hashOfLeaf(leafFromPacked(stream.name, header.seq, packed), salt, sha256);
    return {
      stream: stream.name,
      handle,
      salt,
      packed: encodePackedLeaf(packed),
      entry: treeEntry(handle, hash),
    };
  });
  leaves.sort((a, b) => compareBytes(a.entry, b.entry));
  const tree = new MerkleTree(
    leaves.map((leaf) => leaf.entry),
    sha256,
  );
  // GCM does not commit to its key: what opened is believed only because the tree is the signed one.
  if (!equalBytes(tree.root(), header.root)) throw damaged(header.seq, undefined);
  return { header, leaves, tree };
}

function damaged(seq: number, cause: unknown): OperationalError {
  return new OperationalError('SPOOL_DAMAGED', `chunk ${seq} is not what was sealed`, {
    retryable: false,
    cause,
  });
}
