/**
 * Walks where more than one node of a stream is there: over what is left of it, and forward over what is to come.
 * Implements spec/keys.md, "Key tree" and "What the unit keeps".
 */
import { FormatError } from './errors.ts';
import { type Hash, sha512 } from './hash.ts';
import {
  assertKeyNode,
  childNodes,
  covers,
  KEY_TREE_DEPTH,
  type KeyNode,
  KeyTreeWalk,
  type KeyWalk,
  seqsOf,
} from './key-tree.ts';

/** Over nodes that may have gaps between them. Seqs in ascending order cost one hash each on average. */
export class KeyNodesWalk implements KeyWalk {
  readonly #tops: readonly KeyNode[];
  readonly #hash: Hash;
  #current: { readonly top: KeyNode; readonly walk: KeyTreeWalk } | undefined;

  /**
   * @param tops ascending; none covers what another covers
   * @throws FormatError KEY_NODE_MALFORMED
   */
  constructor(tops: readonly KeyNode[], hash: Hash = sha512) {
    for (const top of tops) assertKeyNode(top);
    this.#tops = tops;
    this.#hash = hash;
  }

  /** @throws FormatError KEY_NODE_RANGE where none of the nodes covers `seq` */
  nodeOf(seq: number): Uint8Array {
    if (this.#current === undefined || !covers(this.#current.top, seq)) {
      const top = this.#tops.find((node) => covers(node, seq));
      if (top === undefined) throw notCovered(seq);
      this.#current = { top, walk: new KeyTreeWalk(top, this.#hash) };
    }
    return this.#current.walk.nodeOf(seq);
  }
}

/**
 * For whoever seals: what it has passed it cannot give again. Nodes are copied, and overwritten when they are passed or
 * have given their children, so that what is left in here covers the newest seq and those to come.
 */
export class ForwardKeyWalk implements KeyWalk {
  readonly #hash: Hash;
  /** Descending: the next one is the last. */
  readonly #rest: KeyNode[];

  /**
   * @param tops ascending; none covers what another covers
   * @throws FormatError KEY_NODE_MALFORMED
   */
  constructor(tops: readonly KeyNode[], hash: Hash = sha512) {
    for (const top of tops) assertKeyNode(top);
    this.#rest = tops.map((top) => ({ ...top, node: Uint8Array.from(top.node) })).reverse();
    this.#hash = hash;
  }

  /**
   * Borrowed until the next call.
   * @throws FormatError KEY_NODE_RANGE for a seq below the one before, and for one that no node covers
   */
  nodeOf(seq: number): Uint8Array {
    for (;;) {
      const next = this.#rest.at(-1);
      if (next === undefined || seqsOf(next).first > seq) throw notCovered(seq);
      if (covers(next, seq) && next.depth === KEY_TREE_DEPTH) return next.node;
      this.#rest.pop();
      if (covers(next, seq)) {
        const [left, right] = childNodes(next, this.#hash);
        this.#rest.push(right);
        if (covers(left, seq)) this.#rest.push(left);
        else left.node.fill(0);
      }
      next.node.fill(0);
    }
  }

  /** Overwrites what is left: nothing is given any more. */
  close(): void {
    for (const { node } of this.#rest) node.fill(0);
    this.#rest.length = 0;
  }
}

function notCovered(seq: number): FormatError {
  return new FormatError('KEY_NODE_RANGE', `no key node covers seq ${seq}`);
}
