/**
 * Opens one stored chunk: every stream's leaf again, and the tree that they give.
 * Implements spec/keys.md and spec/leaf.md, "Verification".
 */
import { equalBytes } from '../../core/bytes.ts';
import { decodeChunkBody } from '../../core/chunk-body.ts';
import { type ChunkHeader, decodeChunkHeader } from '../../core/chunk-header.ts';
import { FormatError, OperationalError, VerificationError } from '../../core/errors.ts';
import { leafSecrets } from '../../core/key-tree.ts';
import { hashOfLeaf, treeEntry } from '../../core/leaf.ts';
import { silentLeaf } from '../../core/sealed-leaf.ts';
import type { Archive, Primitives, StoredChunk } from '../ports.ts';
import {
  type DisclosableChunk,
  type DisclosableLeaf,
  type DisclosableStream,
  openLeaf,
  treeOver,
} from './disclosable-chunk.ts';
import { openErased } from './open-erased.ts';
import { openRecovered } from './open-recovered.ts';

/**
 * @param streams of the log, by ordinal
 * @throws OperationalError SPOOL_DAMAGED when what is stored is not what was sealed, SPOOL_BODY_MISSING,
 *   SPOOL_BODY_EVICTED, SPOOL_BODY_ERASED when it holds no custody record, SPOOL_KEYS_FORGOTTEN when no node of its streams covers the chunk, or none is left at all
 */
export function openChunk(
  archive: Archive,
  stored: StoredChunk,
  streams: readonly DisclosableStream[],
  primitives: Primitives,
): DisclosableChunk {
  // Of an epoch that was handed over no row of keys is left. Every chunk has a leaf of some stream.
  if (streams.length === 0) throw forgotten(stored);
  const erased = archive.custodyOfErased(stored.log, stored.seq);
  const body = erased === undefined ? archive.body(stored.log, stored.seq) : erased.body;
  try {
    const header = decodeChunkHeader(stored.header);
    const open = header.recovered === undefined ? openSealed : openRecovered;
    const chunk =
      erased === undefined
        ? open(header, body, streams, primitives)
        : openErased(header, erased, streams, primitives);
    // GCM does not commit to its key: what opened is believed only because the tree is the signed one.
    if (!equalBytes(chunk.tree.root(), header.root)) throw damaged(stored, undefined);
    return chunk;
  } catch (cause) {
    // Nodes of all streams of a log go at the same seqs, so a chunk is opened wholly or not at all.
    if (cause instanceof FormatError && cause.code === 'KEY_NODE_RANGE') throw forgotten(stored);
    // The unit sealed it itself, so whatever does not parse or open was changed on the disk.
    if (!(cause instanceof FormatError || cause instanceof VerificationError)) throw cause;
    throw damaged(stored, cause);
  }
}

/**
 * One that was not recovered, and of which nothing was erased.
 * @throws FormatError, VerificationError when what is stored is not what was sealed
 */
export function openSealed(
  header: ChunkHeader,
  body: Uint8Array,
  streams: readonly DisclosableStream[],
  primitives: Primitives,
): DisclosableChunk {
  const { sha256, sha512 } = primitives;
  const sealed = new Map(decodeChunkBody(body).map((leaf) => [leaf.ordinal, leaf.sealed]));
  // Streams have a leaf in every chunk from their first on, so the chunk has the first ones by ordinal.
  const opened = streams.slice(0, header.entryCount).map((stream, ordinal): DisclosableLeaf => {
    const ciphertext = sealed.get(ordinal);
    if (ciphertext !== undefined) return openLeaf(ciphertext, stream, header, primitives);
    const { handle, salt } = leafSecrets(stream.keys.nodeOf(header.seq), header.nonce, sha512);
    const hash = hashOfLeaf(silentLeaf(stream.name, header.seq), salt, sha256);
    const none = new Uint8Array(0);
    const entry = treeEntry(handle, hash);
    return { stream: stream.name, handle, salt, packed: none, sealed: none, entry };
  });
  return { header, ...treeOver(opened, sha256), blocks: [] };
}

function forgotten({ log, seq }: StoredChunk): OperationalError {
  return new OperationalError(
    'SPOOL_KEYS_FORGOTTEN',
    `the unit cannot read chunk ${log}/${seq} any more: only its owner can`,
    { retryable: false },
  );
}

function damaged({ log, seq }: StoredChunk, cause: unknown): OperationalError {
  return new OperationalError('SPOOL_DAMAGED', `chunk ${log}/${seq} is not what was sealed`, {
    retryable: false,
    cause,
  });
}
