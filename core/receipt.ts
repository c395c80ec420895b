/**
 * Receipt: an inclusion for the statement, and the anchored window that all of a window's receipts share.
 * Implements spec/receipt.md.
 */
import { equalBytes } from './bytes.ts';
import { encodeCbor } from './cbor.ts';
import { FormatError, VerificationError } from './errors.ts';
import { decodeRecord, type Fields, FORMAT_VERSION } from './fields.ts';
import { type Hash, sha256 } from './hash.ts';
import { HASH_BYTES, rootFromProof } from './merkle.ts';
import { RECORD } from './record-type.ts';
import { ID_BYTES } from './vehicle-log.ts';
import { MAX_WINDOW_RECORD_BYTES, MAX_WINDOW_STATEMENTS } from './window.ts';

const MAX_LEVELS = 4;
const MAX_PATH = 30;
const MAX_ANCHORS = 8;
const MAX_PROOF_NODES = 128;
const MAX_NODE_BYTES = 1024;
const MAX_BLOCK_HEADER_BYTES = 4096;
const MAX_INCLUSION_BYTES = 16 * 1024;
export const MAX_ANCHORED_WINDOW_BYTES = 256 * 1024;

/** One tree on the way from the statement to the anchored root. */
export type InclusionLevel = {
  readonly treeSize: number;
  readonly leafIndex: number;
  readonly path: readonly Uint8Array[];
};

/** A vehicle's own part of a receipt. */
export type Inclusion = {
  readonly statementId: Uint8Array;
  readonly windowRecordHash: Uint8Array;
  /** The first tree holds the statement's window entry, each further tree the root of the one before. */
  readonly levels: readonly InclusionLevel[];
};

export function encodeInclusion(inclusion: Inclusion): Uint8Array {
  return encodeCbor([
    RECORD.inclusion,
    FORMAT_VERSION,
    inclusion.statementId,
    inclusion.windowRecordHash,
    inclusion.levels.map((level) => [level.treeSize, level.leafIndex, level.path]),
  ]);
}

/** @throws FormatError CBOR_*, RECORD_*, FIELD_*, INCLUSION_LEVELS */
export function decodeInclusion(bytes: Uint8Array): Inclusion {
  const inclusion = decodeRecord(
    bytes,
    RECORD.inclusion,
    (fields) => ({
      statementId: fields.bytes('statement id', ID_BYTES),
      windowRecordHash: fields.bytes('window record hash', HASH_BYTES),
      levels: fields.list('levels', MAX_LEVELS, (level) => ({
        treeSize: level.uint('tree size', MAX_WINDOW_STATEMENTS),
        leafIndex: level.uint('leaf index', MAX_WINDOW_STATEMENTS),
        path: level.bytesList('path', MAX_PATH, HASH_BYTES),
      })),
    }),
    MAX_INCLUSION_BYTES,
  );
  if (inclusion.levels.length === 0) {
    throw new FormatError('INCLUSION_LEVELS', 'expected at least one level of inclusion');
  }
  return inclusion;
}

/**
 * Follows the levels from a window entry up.
 * @throws VerificationError MERKLE_ROOT_MISMATCH, MERKLE_INDEX, MERKLE_PROOF_LENGTH
 */
export function verifyInclusionLevels(
  entry: Uint8Array,
  levels: readonly InclusionLevel[],
  expected: { readonly root: Uint8Array; readonly treeSize: number },
  hash: Hash = sha256,
): void {
  let leaf = entry;
  for (const level of levels) {
    leaf = rootFromProof(level.treeSize, [level.leafIndex], [leaf], level.path, hash);
  }
  // The size is checked too: a path is only bound to its index together with the size of the tree.
  if (!equalBytes(leaf, expected.root) || levels.at(-1)?.treeSize !== expected.treeSize) {
    throw new VerificationError(
      'MERKLE_ROOT_MISMATCH',
      'the path does not lead to the window root',
    );
  }
}

/** State of the contract's slot, proven under a block header. */
export type EvmAnchor = {
  readonly kind: 'evm';
  /** RLP of the block header. */
  readonly header: Uint8Array;
  /** Trie nodes of the account proof and of the storage proof, in the canonical order of a NodePool. */
  readonly nodes: readonly Uint8Array[];
};

/** Version 0 has one kind of its own; time stamps cover many windows and are records of their own. */
export type Anchor = EvmAnchor;

/** The part of a receipt that all statements of a window share. */
export type AnchoredWindow = {
  /** Encoded window record. */
  readonly record: Uint8Array;
  readonly anchors: readonly Anchor[];
};

const ANCHOR_EVM = 1;

export function encodeAnchoredWindow(window: AnchoredWindow): Uint8Array {
  return encodeCbor([
    RECORD.anchoredWindow,
    FORMAT_VERSION,
    window.record,
    window.anchors.map((anchor) => [ANCHOR_EVM, anchor.header, anchor.nodes]),
  ]);
}

/** @throws FormatError CBOR_*, RECORD_*, FIELD_*, ANCHOR_KIND, ANCHOR_REPEATED */
export function decodeAnchoredWindow(bytes: Uint8Array): AnchoredWindow {
  const window = decodeRecord(
    bytes,
    RECORD.anchoredWindow,
    (fields) => ({
      record: fields.bytesUpTo('window record', MAX_WINDOW_RECORD_BYTES),
      anchors: fields.list('anchors', MAX_ANCHORS, readAnchor),
    }),
    MAX_ANCHORED_WINDOW_BYTES,
  );
  // A record names one chain, so a second anchor of a kind could only be there to be overlooked.
  if (new Set(window.anchors.map(({ kind }) => kind)).size !== window.anchors.length) {
    throw new FormatError('ANCHOR_REPEATED', 'expected each kind of anchor once');
  }
  return window;
}

function readAnchor(fields: Fields): Anchor {
  const kind = fields.uint('anchor kind');
  if (kind !== ANCHOR_EVM) {
    throw new FormatError('ANCHOR_KIND', `expected an anchor of kind 1, got ${kind}`);
  }
  return {
    kind: 'evm',
    header: fields.bytesUpTo('block header', MAX_BLOCK_HEADER_BYTES),
    nodes: fields.blobList('nodes', MAX_PROOF_NODES, MAX_NODE_BYTES),
  };
}
