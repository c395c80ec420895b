/**
 * The trie nodes that proofs share: found by hash, in one canonical order, each one needed.
 * Implements spec/evm-proofs.md, "Node list".
 */
import { compareBytes, toHex } from '../bytes.ts';
import { VerificationError } from '../errors.ts';
import { keccak256 } from './keccak.ts';

/** A branch of 16 hashes takes 532 bytes, the largest account leaf about 150. */
const MAX_NODE_BYTES = 1024;
/** A year of one-minute anchors in one trie would need more; nobody waits for a page that hashes more. */
const MAX_NODES = 65_536;

type PooledNode = { readonly bytes: Uint8Array; used: boolean };

export class NodePool {
  readonly #byHash = new Map<string, PooledNode>();

  /**
   * Borrows `nodes`, which must be in the order of `sortNodes`.
   * @throws VerificationError PROOF_NODE_COUNT, PROOF_NODE_SIZE, PROOF_NODE_ORDER
   */
  constructor(nodes: readonly Uint8Array[]) {
    if (nodes.length > MAX_NODES) {
      throw new VerificationError(
        'PROOF_NODE_COUNT',
        `expected at most ${MAX_NODES} trie nodes, got ${nodes.length}`,
      );
    }
    let previous = '';
    for (const bytes of nodes) {
      if (bytes.length === 0 || bytes.length > MAX_NODE_BYTES) {
        throw new VerificationError(
          'PROOF_NODE_SIZE',
          `expected a trie node of 1 to ${MAX_NODE_BYTES} bytes, got ${bytes.length}`,
        );
      }
      const hash = toHex(keccak256(bytes));
      // Hexadecimal in lower case orders as the bytes do.
      if (hash <= previous) {
        throw new VerificationError(
          'PROOF_NODE_ORDER',
          'expected trie nodes in strictly ascending order of their hashes',
        );
      }
      this.#byHash.set(hash, { bytes, used: false });
      previous = hash;
    }
  }

  /** Returns the node with this hash and remembers that a proof needed it. @throws VerificationError PROOF_NODE_MISSING */
  take(hash: Uint8Array): Uint8Array {
    const hex = toHex(hash);
    const node = this.#byHash.get(hex);
    if (node === undefined) {
      throw new VerificationError('PROOF_NODE_MISSING', `expected a trie node with hash ${hex}`);
    }
    node.used = true;
    return node.bytes;
  }

  /** The nodes that proofs needed so far, in order: what a maker of proofs keeps. */
  used(): Uint8Array[] {
    return this.#select(true);
  }

  /** The nodes that no proof needed so far. */
  unused(): Uint8Array[] {
    return this.#select(false);
  }

  /** Called after the last proof. @throws VerificationError PROOF_NODE_UNUSED */
  requireAllUsed(): void {
    const { length } = this.unused();
    if (length > 0) {
      throw new VerificationError(
        'PROOF_NODE_UNUSED',
        `expected every trie node to be part of a proof, got ${length} that are not`,
      );
    }
  }

  #select(used: boolean): Uint8Array[] {
    return [...this.#byHash.values()].filter((node) => node.used === used).map((n) => n.bytes);
  }
}

/** The canonical order: ascending by hash, each node once. Proofs that share nodes are joined this way. */
export function sortNodes(nodes: Iterable<Uint8Array>): Uint8Array[] {
  const byHash = new Map<string, { hash: Uint8Array; bytes: Uint8Array }>();
  for (const bytes of nodes) {
    const hash = keccak256(bytes);
    byHash.set(toHex(hash), { hash, bytes });
  }
  return [...byHash.values()]
    .sort((a, b) => compareBytes(a.hash, b.hash))
    .map(({ bytes }) => bytes);
}
