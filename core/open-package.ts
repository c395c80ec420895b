/**
 * What a sealed package holds, to the sections of an evidence bundle: keys from the nodes, leaves from the keys.
 * Implements spec/package.md, "Opening". The nodes stay where they are: no bundle has them.
 */
import type { Sections } from './bundle.ts';
import { decodeBlockItem, decodeHeaderItem, encodeOpenedChunk } from './bundle-items.ts';
import { equalBytes } from './bytes.ts';
import { type ChunkHeader, decodeChunkHeader } from './chunk-header.ts';
import { unverifiedPayload } from './cose.ts';
import { FormatError, VerificationError } from './errors.ts';
import { decodeGrant, grantHash, type SignedGrant } from './grant.ts';
import type { Hash } from './hash.ts';
import { decodeJournalBlock } from './journal-block.ts';
import { type KeyNode, KeyTreeWalk, leafSecrets } from './key-tree.ts';
import { encodePackedLeaf, hashOfLeaf, leafHash, type PackedLeaf, treeEntry } from './leaf.ts';
import { rootFromProof } from './merkle.ts';
import {
  decodeKeyNodesItem,
  decodePackageContents,
  decodeSealedChunkItem,
  type PackageSections,
  type SealedChunkItem,
} from './package.ts';
import { decodePresenceMap, encodePresenceLeaf } from './presence-leaf.ts';
import { type Aead, leafFromPacked, openSealedLeaf, silentLeaf } from './sealed-leaf.ts';

export type OpeningPrimitives = {
  readonly sha256: Hash;
  readonly sha512: Hash;
  readonly aead: Aead;
};

export type OpenedPackage = {
  readonly grant: SignedGrant;
  /** Of the bundle that the grantee may show. */
  readonly sections: Partial<Sections>;
  readonly chunks: number;
  readonly leaves: number;
};

/**
 * Who made the package is not looked at: what it opens to is for the verifier.
 * @param contents as they were sealed
 * @param hash of the grant that the file names
 * @throws FormatError BUNDLE_*, CBOR_*, FIELD_*, PACKAGE_*, KEY_NODE_*, LEAF_*, and those of the records that it reads
 * @throws VerificationError PACKAGE_GRANT, PACKAGE_KEYS, PACKAGE_HEADER, LEAF_SEAL, LEAF_HASH_MISMATCH, MERKLE_*
 */
export function openPackage(
  contents: Uint8Array,
  hash: Uint8Array,
  primitives: OpeningPrimitives,
): OpenedPackage {
  const { keyNodes, sealedChunks, ...shared } = decodePackageContents(contents);
  const grant = theGrant(shared.grants, hash);
  const streams = shared.streams.map((name) => String.fromCharCode(...name.subarray(0, 512)));
  const keys = keysOf(keyNodes, primitives.sha512);
  const items = sealedChunks.map(decodeSealedChunkItem);
  const places = placesOf(shared, items);
  let leaves = 0;
  const opened = items.map((item) => {
    const place = places.get(nameOf(item));
    if (place === undefined) {
      const message = `chunk ${nameOf(item)} is released, and its header is not there`;
      throw new VerificationError('PACKAGE_HEADER', message);
    }
    leaves += item.leaves.length;
    return openChunk(item, place, streams, keys, primitives);
  });
  return { grant, sections: { ...shared, leaves: opened }, chunks: opened.length, leaves };
}

function theGrant(grants: readonly Uint8Array[], hash: Uint8Array): SignedGrant {
  const [only] = grants;
  if (only !== undefined && grants.length === 1) {
    const grant = decodeGrant(only);
    if (equalBytes(grantHash(grant.grant), hash)) return grant;
  }
  throw new VerificationError('PACKAGE_GRANT', 'expected the one grant that the package names');
}

/** The node of a seq, for a stream of a log. */
type Keys = (log: number, stream: number, seq: number) => Uint8Array;

function keysOf(items: readonly Uint8Array[], sha512: Hash): Keys {
  const walks = new Map<string, { readonly node: KeyNode; readonly walk: KeyTreeWalk }[]>();
  for (const bytes of items) {
    const { log, stream, nodes } = decodeKeyNodesItem(bytes);
    const name = `${log} ${stream}`;
    if (walks.has(name)) throw new FormatError('PACKAGE_NODES', 'one stream has its nodes twice');
    walks.set(
      name,
      nodes.map((node) => ({ node, walk: new KeyTreeWalk(node, sha512) })),
    );
  }
  return (log, stream, seq) => {
    const found = walks
      .get(`${log} ${stream}`)
      ?.find(({ node }) => Math.floor(seq / 2 ** (32 - node.depth)) === node.prefix);
    if (found !== undefined) return found.walk.nodeOf(seq);
    throw new VerificationError('PACKAGE_KEYS', `no key node for a leaf of chunk ${log}/${seq}`);
  };
}

type Place = {
  readonly header: ChunkHeader;
  /** Of a recovered chunk: the nonce of the block that holds the leaf at an index. */
  readonly blockNonces: ReadonlyMap<number, Uint8Array>;
};

/** Blocks stand in the order of their chunks, as many as each header says (spec/bundle.md). */
function placesOf(
  { headers, blocks }: Pick<PackageSections, 'headers' | 'blocks'>,
  items: readonly SealedChunkItem[],
): ReadonlyMap<string, Place> {
  const wanted = new Set(items.map(nameOf));
  const places = new Map<string, Place>();
  let at = 0;
  for (const bytes of headers) {
    const header = decodeChunkHeader(decodeHeaderItem(bytes).payload);
    if (!wanted.has(nameOf(header))) continue;
    const count = header.recovered?.blockCount ?? 0;
    const own = blocks.slice(at, at + count).map(decodeBlockItem);
    at += count;
    const blockNonces = new Map(
      own.flatMap(({ block, leaves }) => {
        const { nonce } = decodeJournalBlock(unverifiedPayload(block));
        return leaves.map(({ indexInChunk }) => [indexInChunk, nonce] as const);
      }),
    );
    places.set(nameOf(header), { header, blockNonces });
  }
  return places;
}

function nameOf({ log, seq }: { readonly log: number; readonly seq: number }): string {
  return `${log}/${seq}`;
}

function openChunk(
  item: SealedChunkItem,
  { header, blockNonces }: Place,
  streams: readonly string[],
  keys: Keys,
  primitives: OpeningPrimitives,
): Uint8Array {
  const { log, seq, proof } = item;
  const opened = item.leaves.map(({ index, stream: place, sealed }) => {
    const stream = streams[place];
    if (stream === undefined) {
      throw new FormatError('BUNDLE_STREAM', `expected a stream below ${streams.length}`);
    }
    const blockNonce = blockNonces.get(index);
    const node = keys(log, place, seq);
    const secrets = leafSecrets(node, blockNonce ?? header.nonce, primitives.sha512);
    const { handle, salt } = secrets;
    const packed =
      sealed.length === 0 ? undefined : openSealedLeaf(sealed, header, secrets, primitives.aead);
    const isPresence = header.recovered !== undefined && blockNonce === undefined;
    const hashed = isPresence
      ? presenceHash(stream, header, packed, salt, primitives.sha256)
      : leafHashOf(stream, seq, packed, salt, primitives.sha256);
    const bytes = packed === undefined ? new Uint8Array(0) : encodePackedLeaf(packed);
    const leaf = { index, stream: place, handle, salt, packed: bytes };
    return { leaf, entry: treeEntry(handle, hashed) };
  });
  const indexes = opened.map(({ leaf }) => leaf.index);
  const entries = opened.map(({ entry }) => entry);
  const root = rootFromProof(header.entryCount, indexes, entries, proof, primitives.sha256);
  // GCM does not commit to its key: only the signed tree says what was sealed.
  if (!equalBytes(root, header.root)) {
    const message = `what chunk ${log}/${seq} opens to is not what was sealed`;
    throw new VerificationError('LEAF_HASH_MISMATCH', message);
  }
  return encodeOpenedChunk({ log, seq, proof, leaves: opened.map(({ leaf }) => leaf) });
}

function leafHashOf(
  stream: string,
  seq: number,
  packed: PackedLeaf | undefined,
  salt: Uint8Array,
  sha256: Hash,
): Uint8Array {
  const leaf = packed === undefined ? silentLeaf(stream, seq) : leafFromPacked(stream, seq, packed);
  return hashOfLeaf(leaf, salt, sha256);
}

function presenceHash(
  stream: string,
  { seq, recovered }: ChunkHeader,
  packed: PackedLeaf | undefined,
  salt: Uint8Array,
  sha256: Hash,
): Uint8Array {
  const presentIn =
    packed === undefined ? [] : decodePresenceMap(packed.body, recovered?.blockCount ?? 0);
  return leafHash(salt, encodePresenceLeaf(stream, seq, presentIn), sha256);
}
