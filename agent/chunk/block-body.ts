/**
 * Body of a journal block: all its leaves, encrypted under the journal's key until their chunk is committed.
 * Implements spec/journal-block.md, "Journal file".
 */
import { compareBytes } from '../../core/bytes.ts';
import { encodeChunkBody, type SealedLeaf } from '../../core/chunk-body.ts';
import { FormatError, VerificationError } from '../../core/errors.ts';
import {
  decodeJournalBody,
  encodeJournalBody,
  type JournalLeaf,
  journalAad,
} from '../../core/journal-body.ts';
import { type KeyWalk, leafSecrets } from '../../core/key-tree.ts';
import { hashOfLeaf, treeEntry } from '../../core/leaf.ts';
import { MerkleTree } from '../../core/merkle.ts';
import { decodePackedBlockLeaf } from '../../core/recovered.ts';
import { leafFromPacked, sealPackedLeaf } from '../../core/sealed-leaf.ts';
import type { LeafPlace, Primitives } from '../ports.ts';

type Crypto = Pick<Primitives, 'sha256' | 'sha512' | 'aead'>;

/**
 * @param leaves ascending by ordinal
 * @param journal key tree of `records/journal`
 */
export function sealBlockBody(
  leaves: readonly JournalLeaf[],
  place: LeafPlace,
  journal: KeyWalk,
  { sha512, aead }: Crypto,
): Uint8Array {
  const { key, handle } = leafSecrets(journal.nodeOf(place.seq), place.nonce, sha512);
  return aead.seal(key, encodeJournalBody(leaves), journalAad(place.tag, place.seq, handle));
}

export type KeyedStream = { readonly name: string; readonly keys: KeyWalk };

/** What a surviving block holds, with all that its recovered chunk stores of it. */
export type OpenedBlock = {
  readonly leaves: readonly JournalLeaf[];
  /** Ascending by handle, as the block's root is over them. */
  readonly entries: readonly Uint8Array[];
  readonly root: Uint8Array;
  /** The leaves as an ordinary chunk body, each sealed under its own key of the block. */
  readonly body: Uint8Array;
};

/**
 * Opens a block's body again, after a crash. Whether it is the signed one, the head's root, entry count and
 * body hash say.
 * @param journal key tree of `records/journal`
 * @param streams of the log, by ordinal; their walks remember the way, so blocks of one chunk share it
 * @throws VerificationError LEAF_SEAL when it does not open; FormatError JOURNAL_BODY, BLOCK_LEAF_PACKED, CBOR_*,
 *   LEAF_*, PACKED_LEAF when what is in it is no body
 */
export function openBlock(
  sealed: Uint8Array,
  place: LeafPlace,
  journal: KeyWalk,
  streams: readonly KeyedStream[],
  { sha256, sha512, aead }: Crypto,
): OpenedBlock {
  const secretsOf = (keys: KeyWalk) => leafSecrets(keys.nodeOf(place.seq), place.nonce, sha512);
  const { key, handle } = secretsOf(journal);
  const plain = aead.open(key, sealed, journalAad(place.tag, place.seq, handle));
  if (plain === undefined) {
    throw new VerificationError('LEAF_SEAL', `a block of chunk ${place.seq} does not open`);
  }
  const leaves = decodeJournalBody(plain);
  const entries: Uint8Array[] = [];
  const sealedLeaves: SealedLeaf[] = [];
  for (const { ordinal, packed } of leaves) {
    const stream = streams[ordinal];
    if (stream === undefined) {
      throw new FormatError(
        'JOURNAL_BODY',
        `expected a stream of this log, got ordinal ${ordinal}`,
      );
    }
    const secrets = secretsOf(stream.keys);
    const unpacked = decodePackedBlockLeaf(packed);
    const hash = hashOfLeaf(leafFromPacked(stream.name, place.seq, unpacked), secrets.salt, sha256);
    entries.push(treeEntry(secrets.handle, hash));
    sealedLeaves.push({ ordinal, sealed: sealPackedLeaf(unpacked, place, secrets, aead) });
  }
  entries.sort(compareBytes);
  const root = new MerkleTree(entries, sha256).root();
  return { leaves, entries, root, body: encodeChunkBody(sealedLeaves) };
}
