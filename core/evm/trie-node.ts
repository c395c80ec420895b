/**
 * One node of a hexary Merkle Patricia trie: RLP to branch, extension or leaf, in canonical form only.
 * Implements spec/evm-proofs.md, "Trie node" (Ethereum Yellow Paper, appendices C and D).
 */
import { VerificationError } from '../errors.ts';
import { decodeProvenRlp } from './proven-rlp.ts';
import { encodeRlp, type RlpItem } from './rlp.ts';

/** How a node names the next one: by hash, or by being it, when its RLP is shorter than a hash. */
export type ChildReference =
  | { readonly kind: 'hash'; readonly hash: Uint8Array }
  | { readonly kind: 'embedded'; readonly node: TrieNode };

export type TrieNode =
  | { readonly kind: 'branch'; readonly children: readonly (ChildReference | undefined)[] }
  | { readonly kind: 'extension'; readonly path: Uint8Array; readonly child: ChildReference }
  | { readonly kind: 'leaf'; readonly path: Uint8Array; readonly value: Uint8Array };

const HASH_BYTES = 32;

/** @throws VerificationError PROOF_NODE_MALFORMED */
export function decodeTrieNode(bytes: Uint8Array): TrieNode {
  return toTrieNode(decodeProvenRlp(bytes, 'PROOF_NODE_MALFORMED'));
}

function toTrieNode(item: RlpItem): TrieNode {
  if (item instanceof Uint8Array) throw malformed('expected a list, got a string');
  if (item.length === 17) return toBranch(item);
  const [prefixedPath, content] = item;
  if (item.length !== 2 || prefixedPath === undefined || content === undefined) {
    throw malformed(`expected 2 or 17 items, got ${item.length}`);
  }
  if (!(prefixedPath instanceof Uint8Array)) throw malformed('expected a path, got a list');
  const { isLeaf, path } = decodePath(prefixedPath);
  if (isLeaf) {
    if (!(content instanceof Uint8Array)) throw malformed('expected a value, got a list');
    if (content.length === 0) throw malformed('expected a value in a leaf, got none');
    return { kind: 'leaf', path, value: content };
  }
  const child = toChild(content);
  if (child === undefined) throw malformed('expected a node below an extension, got none');
  if (path.length === 0) throw malformed('expected an extension by at least one nibble, got none');
  return { kind: 'extension', path, child };
}

/** All keys here are hashes, so all are 32 bytes long and none can end inside a branch. */
function toBranch(items: readonly RlpItem[]): TrieNode {
  const value = items[16];
  if (!(value instanceof Uint8Array) || value.length > 0) {
    throw malformed('expected a branch without a value, got one with a value');
  }
  const children = items.slice(0, 16).map(toChild);
  const { length } = children.filter((child) => child !== undefined);
  if (length < 2) throw malformed(`expected at least 2 nodes below a branch, got ${length}`);
  return { kind: 'branch', children };
}

function toChild(item: RlpItem): ChildReference | undefined {
  if (item instanceof Uint8Array) {
    if (item.length === 0) return undefined;
    if (item.length === HASH_BYTES) return { kind: 'hash', hash: item };
    throw malformed(`expected a node hash of ${HASH_BYTES} bytes, got ${item.length}`);
  }
  if (encodeRlp(item).length >= HASH_BYTES) {
    throw malformed(`expected an embedded node of under ${HASH_BYTES} bytes, got a longer one`);
  }
  return { kind: 'embedded', node: toTrieNode(item) };
}

/** Hex prefix: the first nibble tells leaf from extension and odd from even; an even path pads with zero. */
function decodePath(prefixed: Uint8Array): { isLeaf: boolean; path: Uint8Array } {
  const nibbles = toNibbles(prefixed);
  const [flags, padding] = nibbles;
  if (flags === undefined || flags > 3) throw malformed('expected a hex-prefix flag of 0 to 3');
  const isOdd = (flags & 1) === 1;
  if (!isOdd && padding !== 0) throw malformed('expected zero padding in an even path');
  return { isLeaf: flags >= 2, path: nibbles.subarray(isOdd ? 1 : 2) };
}

/** One array element per half byte, high half first. */
export function toNibbles(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length * 2);
  bytes.forEach((byte, i) => {
    out[2 * i] = byte >> 4;
    out[2 * i + 1] = byte & 15;
  });
  return out;
}

function malformed(expectation: string): VerificationError {
  return new VerificationError('PROOF_NODE_MALFORMED', `trie node: ${expectation}`);
}
