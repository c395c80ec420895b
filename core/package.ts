/**
 * Package `.wmks`: what a grant allows, sealed to its grantee. Its frame, and the items that only it has.
 * Implements spec/package.md. Opening what is in it: open-package.ts.
 */
import { SECTION } from './bundle.ts';
import { asciiBytes, concatBytes, equalBytes, joinBytes } from './bytes.ts';
import { encodeCbor } from './cbor.ts';
import { MAX_ENTRIES } from './chunk-header.ts';
import { FormatError } from './errors.ts';
import { decodeFields } from './fields.ts';
import { assertKeyNode, type KeyNode, NODE_BYTES } from './key-tree.ts';
import { MAX_PAYLOAD_BYTES } from './leaf.ts';
import { HASH_BYTES } from './merkle.ts';
import { decodeSections, encodeSections } from './sections.ts';
import { MAX_SEQ } from './vehicle-log.ts';

const MAGIC = asciiBytes('wmk-pk0\n');
const INFO_PREFIX = asciiBytes('wmk-package');
const GRANT_HASH_BYTES = 32;
export const MAX_PACKAGE_BYTES = 1 << 30;

/** Those of a bundle, but for what stands in the place of opened leaves. */
const { leaves: _, ...OF_BUNDLE } = SECTION;
const PACKAGE_SECTION = { ...OF_BUNDLE, keyNodes: 32, sealedChunks: 33 } as const;

export type PackageSections = Readonly<Record<keyof typeof PACKAGE_SECTION, readonly Uint8Array[]>>;

/** A `.wmks` file as anybody sees it. */
export type SealedPackage = {
  /** In the clear, so that the grantee knows which key opens it; 32 bytes. */
  readonly grantHash: Uint8Array;
  /** By HPKE, to the grantee's key, with `packageInfo` (spec/sealing.md). */
  readonly sealed: Uint8Array;
};

/** What binds the sealing to its grant. */
export function packageInfo(grantHash: Uint8Array): Uint8Array {
  return concatBytes(INFO_PREFIX, grantHash);
}

export function encodePackage({ grantHash, sealed }: SealedPackage): Uint8Array {
  return joinBytes([MAGIC, grantHash, sealed]);
}

/** Views into `bytes`. @throws FormatError PACKAGE_TOO_LARGE, PACKAGE_MAGIC, PACKAGE_TRUNCATED */
export function decodePackage(bytes: Uint8Array): SealedPackage {
  if (bytes.length > MAX_PACKAGE_BYTES) {
    throw new FormatError('PACKAGE_TOO_LARGE', `expected at most ${MAX_PACKAGE_BYTES} bytes`);
  }
  if (!equalBytes(bytes.subarray(0, MAGIC.length), MAGIC)) {
    throw new FormatError('PACKAGE_MAGIC', 'expected a sealed package of version 0');
  }
  const start = MAGIC.length + GRANT_HASH_BYTES;
  if (bytes.length < start) {
    throw new FormatError('PACKAGE_TRUNCATED', 'expected the hash of a grant');
  }
  return { grantHash: bytes.subarray(MAGIC.length, start), sealed: bytes.subarray(start) };
}

/** What is sealed. Empty sections are left out. */
export function encodePackageContents(sections: Partial<PackageSections>): Uint8Array {
  return encodeSections(PACKAGE_SECTION, sections);
}

/** @throws FormatError BUNDLE_TRUNCATED, BUNDLE_SECTION_ORDER, BUNDLE_SECTION_UNKNOWN, BUNDLE_ITEMS */
export function decodePackageContents(bytes: Uint8Array): PackageSections {
  const { sections, unknownSections } = decodeSections(PACKAGE_SECTION, bytes);
  // What it does not understand, a grantee could not show to anybody either.
  const [unknown] = unknownSections;
  if (unknown === undefined) return sections;
  throw new FormatError('BUNDLE_SECTION_UNKNOWN', `section ${unknown} is not known`);
}

/** The nodes of one stream in one log that give exactly its released chunks. */
export type KeyNodesItem = {
  readonly log: number;
  /** In the section `streams`. */
  readonly stream: number;
  /** Ascending by the seqs that they cover, none of which two cover. */
  readonly nodes: readonly KeyNode[];
};

const MAX_NODES = 1 << 16;
const MAX_NODES_ITEM_BYTES = 4 << 20;

export function encodeKeyNodesItem({ log, stream, nodes }: KeyNodesItem): Uint8Array {
  return encodeCbor([log, stream, nodes.map(({ depth, prefix, node }) => [depth, prefix, node])]);
}

/** @throws FormatError CBOR_*, FIELD_*, KEY_NODE_MALFORMED, PACKAGE_NODES */
export function decodeKeyNodesItem(bytes: Uint8Array): KeyNodesItem {
  const item = decodeFields(
    bytes,
    'key nodes item',
    (fields) => ({
      log: fields.uint('log'),
      stream: fields.uint('stream', MAX_ENTRIES),
      nodes: fields.list('nodes', MAX_NODES, (one) => ({
        depth: one.uint('depth'),
        prefix: one.uint('prefix'),
        node: one.bytes('node', NODE_BYTES),
      })),
    }),
    MAX_NODES_ITEM_BYTES,
  );
  let next = 0;
  for (const node of item.nodes) {
    assertKeyNode(node);
    const span = 2 ** (32 - node.depth);
    if (node.prefix * span < next) {
      throw new FormatError('PACKAGE_NODES', 'expected key nodes, ascending, none in another');
    }
    next = (node.prefix + 1) * span;
  }
  if (item.nodes.length === 0) throw new FormatError('PACKAGE_NODES', 'expected key nodes');
  return item;
}

/** A released leaf, under its own key. */
export type SealedLeafItem = {
  /** In the chunk tree. */
  readonly index: number;
  /** In the section `streams`. */
  readonly stream: number;
  /** Empty when the leaf is silent. */
  readonly sealed: Uint8Array;
};

/** The leaves of one chunk that are released, ascending by index. */
export type SealedChunkItem = {
  readonly log: number;
  readonly seq: number;
  /** Multi-leaf proof of these leaves. */
  readonly proof: readonly Uint8Array[];
  readonly leaves: readonly SealedLeafItem[];
};

const MAX_CHUNK_ITEM_BYTES = 64 << 20;
/** AES-256-GCM adds its tag. */
const MAX_SEALED_BYTES = MAX_PAYLOAD_BYTES + 64;

export function encodeSealedChunkItem({ log, seq, proof, leaves }: SealedChunkItem): Uint8Array {
  return encodeCbor([
    log,
    seq,
    proof,
    leaves.map((leaf) => [leaf.index, leaf.stream, leaf.sealed]),
  ]);
}

/** @throws FormatError CBOR_*, FIELD_*, LEAF_ORDER */
export function decodeSealedChunkItem(bytes: Uint8Array): SealedChunkItem {
  const item = decodeFields(
    bytes,
    'sealed chunk item',
    (fields) => ({
      log: fields.uint('log'),
      seq: fields.uint('seq', MAX_SEQ),
      proof: fields.bytesList('proof', MAX_ENTRIES, HASH_BYTES),
      leaves: fields.list('leaves', MAX_ENTRIES, (leaf) => ({
        index: leaf.uint('leaf index', MAX_ENTRIES),
        stream: leaf.uint('stream', MAX_ENTRIES),
        sealed: leaf.bytesUpTo('sealed leaf', MAX_SEALED_BYTES),
      })),
    }),
    MAX_CHUNK_ITEM_BYTES,
  );
  const indexes = item.leaves.map(({ index }) => index);
  if (indexes.length === 0 || indexes.some((index, i) => i > 0 && index <= (indexes[i - 1] ?? 0))) {
    throw new FormatError('LEAF_ORDER', 'expected released leaves, ascending by index');
  }
  return item;
}
