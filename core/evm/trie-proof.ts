/**
 * The walk from a trie's root to one key: its value, or the proof that there is none.
 * Implements spec/evm-proofs.md, "Walk".
 */
import { equalBytes, fromHex } from '../bytes.ts';
import { FormatError, VerificationError } from '../errors.ts';
import type { NodePool } from './node-pool.ts';
import { type ChildReference, decodeTrieNode, type TrieNode, toNibbles } from './trie-node.ts';

/** Keccak-256 of the RLP of an empty string: the root of a trie without keys. */
export const EMPTY_TRIE_ROOT = fromHex(
  '56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421',
);
const KEY_NIBBLES = 64;

/**
 * `key` is the 32-byte path in the trie, for state and storage the hash of address or slot.
 * Returns a view into the leaf's bytes, or undefined when the trie provably lacks the key.
 *
 * The end of the walk is unambiguous: each step is fixed by the hash above it and by the key, and a node
 * in a form that the trie's construction never yields is refused, not interpreted.
 * @throws VerificationError PROOF_NODE_MISSING, PROOF_NODE_MALFORMED
 */
export function proveKey(
  root: Uint8Array,
  key: Uint8Array,
  pool: NodePool,
): Uint8Array | undefined {
  requireWidth('trie root', root, 32);
  requireWidth('trie key', key, 32);
  if (equalBytes(root, EMPTY_TRIE_ROOT)) return undefined;
  const nibbles = toNibbles(key);
  let node = decodeTrieNode(pool.take(root));
  let depth = 0;
  for (;;) {
    if (node.kind === 'leaf') {
      requireDepth(depth + node.path.length === KEY_NIBBLES);
      return startsAt(nibbles, depth, node.path) ? node.value : undefined;
    }
    let child: ChildReference | undefined;
    if (node.kind === 'branch') {
      requireDepth(depth < KEY_NIBBLES);
      child = node.children[nibbles[depth] ?? 0];
      depth += 1;
    } else {
      requireDepth(depth + node.path.length < KEY_NIBBLES);
      if (!startsAt(nibbles, depth, node.path)) return undefined;
      child = node.child;
      depth += node.path.length;
    }
    if (child === undefined) return undefined;
    node = follow(child, node.kind, pool);
  }
}

function follow(child: ChildReference, parent: TrieNode['kind'], pool: NodePool): TrieNode {
  const node = child.kind === 'embedded' ? child.node : decodeLinked(pool.take(child.hash));
  if (parent === 'extension' && node.kind !== 'branch') {
    throw new VerificationError(
      'PROOF_NODE_MALFORMED',
      `expected a branch below an extension, got ${node.kind}`,
    );
  }
  return node;
}

function decodeLinked(bytes: Uint8Array): TrieNode {
  if (bytes.length < 32) {
    throw new VerificationError(
      'PROOF_NODE_MALFORMED',
      `expected a node of ${bytes.length} bytes to be embedded, got it by hash`,
    );
  }
  return decodeTrieNode(bytes);
}

function startsAt(nibbles: Uint8Array, depth: number, path: Uint8Array): boolean {
  return equalBytes(nibbles.subarray(depth, depth + path.length), path);
}

function requireDepth(isWithinKey: boolean): void {
  if (!isWithinKey) {
    throw new VerificationError(
      'PROOF_NODE_MALFORMED',
      `expected a path of ${KEY_NIBBLES} nibbles from root to leaf, got another length`,
    );
  }
}

/** @throws FormatError PROOF_INPUT_WIDTH */
export function requireWidth(name: string, bytes: Uint8Array, width: number): void {
  if (bytes.length !== width) {
    throw new FormatError(
      'PROOF_INPUT_WIDTH',
      `expected a ${name} of ${width} bytes, got ${bytes.length}`,
    );
  }
}
