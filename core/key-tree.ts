/**
 * From a stream's root to the key, salt and handle of each of its leaves.
 * Implements spec/keys.md: a binary tree of depth 32 over the chunk's seq.
 */
import { asciiBytes, concatBytes } from './bytes.ts';
import { FormatError } from './errors.ts';
import { type Hash, sha512 } from './hash.ts';

export const KEY_TREE_DEPTH = 32;
export const NODE_BYTES = 32;
export const HANDLE_BYTES = 16;
export const SALT_BYTES = 16;
export const NONCE_BYTES = 16;

const NODE_PREFIX = asciiBytes('wmk-node');
const LEAF_PREFIX = asciiBytes('wmk-leaf');

/** Two inputs that are filled anew for each hash: every leaf of every chunk takes one of each. */
const nodeInput = concatBytes(NODE_PREFIX, new Uint8Array(NODE_BYTES));
const leafInput = concatBytes(LEAF_PREFIX, new Uint8Array(NODE_BYTES + NONCE_BYTES));

/** A node that covers 2^(32-depth) seqs: all those that start with `prefix` in `depth` bits. */
export type KeyNode = {
  /** 0 for the root, 32 for the node of one seq. */
  readonly depth: number;
  /** The first `depth` bits of the seqs below, as a number. */
  readonly prefix: number;
  readonly node: Uint8Array;
};

export type LeafSecrets = {
  /** AES-256 key, 32 bytes. */
  readonly key: Uint8Array;
  readonly salt: Uint8Array;
  readonly handle: Uint8Array;
};

/** Gives the node of one seq. @throws FormatError KEY_NODE_RANGE where it has no key of that seq */
export type KeyWalk = { nodeOf(seq: number): Uint8Array };

/** The whole tree of a stream. */
export function rootNode(root: Uint8Array): KeyNode {
  return { depth: 0, prefix: 0, node: root };
}

/** `left ‖ right = SHA-512("wmk-node" ‖ node)`. */
function childrenOf(node: Uint8Array, hash: Hash): readonly [Uint8Array, Uint8Array] {
  nodeInput.set(node, NODE_PREFIX.length);
  const both = hash(nodeInput);
  return [both.subarray(0, NODE_BYTES), both.subarray(NODE_BYTES)];
}

/** The two nodes that a node gives, left before right. Only above depth 32. */
export function childNodes(
  { depth, prefix, node }: KeyNode,
  hash: Hash,
): readonly [KeyNode, KeyNode] {
  const [left, right] = childrenOf(node, hash);
  return [
    { depth: depth + 1, prefix: prefix * 2, node: left },
    { depth: depth + 1, prefix: prefix * 2 + 1, node: right },
  ];
}

/** The first and the last seq that a node covers. */
export function seqsOf({ depth, prefix }: KeyNode): {
  readonly first: number;
  readonly last: number;
} {
  const span = 2 ** (KEY_TREE_DEPTH - depth);
  return { first: prefix * span, last: prefix * span + span - 1 };
}

/** `key ‖ salt ‖ handle = SHA-512("wmk-leaf" ‖ node(seq) ‖ nonce)`; nonce is the chunk's or the block's. */
export function leafSecrets(
  seqNode: Uint8Array,
  nonce: Uint8Array,
  hash: Hash = sha512,
): LeafSecrets {
  // A shorter one would leave bytes of the leaf before in the input.
  if (seqNode.length !== NODE_BYTES || nonce.length !== NONCE_BYTES) {
    throw new RangeError('expected a node of 32 bytes and a nonce of 16');
  }
  leafInput.set(seqNode, LEAF_PREFIX.length);
  leafInput.set(nonce, LEAF_PREFIX.length + NODE_BYTES);
  const out = hash(leafInput);
  return { key: out.subarray(0, 32), salt: out.subarray(32, 48), handle: out.subarray(48, 64) };
}

/** A node on the way down; a left child remembers the sibling that was computed with it. */
type Step = KeyNode & { readonly right?: KeyNode };

/**
 * Gives node(seq) from one node above it, and remembers the way down: seqs in ascending order
 * cost one hash each on average, since every inner node is expanded once.
 */
export class KeyTreeWalk implements KeyWalk {
  readonly #top: KeyNode;
  readonly #hash: Hash;
  /** Steps from the top down to the last seq asked for. */
  readonly #path: Step[];

  /** @throws FormatError KEY_NODE_MALFORMED */
  constructor(top: KeyNode, hash: Hash = sha512) {
    assertKeyNode(top);
    this.#top = top;
    this.#hash = hash;
    this.#path = [top];
  }

  /** @throws FormatError KEY_NODE_RANGE when the top does not cover `seq` */
  nodeOf(seq: number): Uint8Array {
    if (!Number.isInteger(seq) || seq < 0 || seq > 0xffff_ffff || !covers(this.#top, seq)) {
      throw new FormatError('KEY_NODE_RANGE', `the key node does not cover seq ${seq}`);
    }
    let last: Step = this.#path.at(-1) ?? this.#top;
    while (!covers(last, seq)) {
      const { right } = last;
      this.#path.pop();
      if (right !== undefined && covers(right, seq)) this.#path.push(right);
      last = this.#path.at(-1) ?? this.#top;
    }
    while (last.depth < KEY_TREE_DEPTH) {
      last = this.#stepDown(last, seq);
      this.#path.push(last);
    }
    return last.node;
  }

  #stepDown(from: KeyNode, seq: number): Step {
    const [left, right] = childNodes(from, this.#hash);
    return covers(left, seq) ? { ...left, right } : right;
  }
}

/** Nodes come out of packages that others made. @throws FormatError KEY_NODE_MALFORMED */
export function assertKeyNode({ depth, prefix, node }: KeyNode): void {
  const isPlace =
    Number.isInteger(depth) &&
    depth >= 0 &&
    depth <= KEY_TREE_DEPTH &&
    Number.isInteger(prefix) &&
    prefix >= 0 &&
    prefix < 2 ** depth;
  if (!isPlace || node.length !== NODE_BYTES) {
    throw new FormatError('KEY_NODE_MALFORMED', 'expected 32 bytes and a place in the key tree');
  }
}

export function covers(node: KeyNode, seq: number): boolean {
  return Math.floor(seq / 2 ** (KEY_TREE_DEPTH - node.depth)) === node.prefix;
}

/**
 * The fewest nodes that give exactly the seqs first to last, at most 62; what a grant releases.
 * @throws FormatError KEY_NODE_RANGE when the range is empty or beyond 32 bits
 */
export function nodesForRange(
  root: Uint8Array,
  first: number,
  last: number,
  hash: Hash = sha512,
): readonly KeyNode[] {
  return nodesWithin([rootNode(root)], first, last, hash);
}

/**
 * The same where only nodes are left of the stream: the fewest that give what `tops` give of first to last, which may be
 * less than all of it.
 * @param tops ascending; none covers what another covers
 * @throws FormatError KEY_NODE_RANGE when the range is empty or beyond 32 bits
 */
export function nodesWithin(
  tops: readonly KeyNode[],
  first: number,
  last: number,
  hash: Hash = sha512,
): readonly KeyNode[] {
  const isRange = Number.isInteger(first) && Number.isInteger(last) && first <= last;
  if (!isRange || first < 0 || last > 0xffff_ffff) {
    throw new FormatError('KEY_NODE_RANGE', `expected a range of seqs, got ${first} to ${last}`);
  }
  const nodes: KeyNode[] = [];
  const descend = (current: KeyNode): void => {
    const seqs = seqsOf(current);
    if (seqs.last < first || seqs.first > last) return;
    if (seqs.first >= first && seqs.last <= last) {
      nodes.push(current);
      return;
    }
    for (const child of childNodes(current, hash)) descend(child);
  };
  for (const top of tops) descend(top);
  return nodes;
}
