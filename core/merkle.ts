/**
 * RFC 9162 Merkle trees over SHA-256: root, inclusion proof, proof of several leaves at once.
 * Implements spec/merkle.md; RFC 9162 sections 2.1.1 to 2.1.3.
 */
import { equalBytes } from './bytes.ts';
import { VerificationError } from './errors.ts';
import { type Hash, sha256 } from './hash.ts';
import { atOnce, SLICE } from './slices.ts';

export const HASH_BYTES = 32;

/** `SHA-256(0x00 ‖ leaf)`. */
function leafNode(leaf: Uint8Array, hash: Hash = sha256): Uint8Array {
  const input = new Uint8Array(1 + leaf.length);
  input.set(leaf, 1);
  return hash(input);
}

/** `SHA-256(0x01 ‖ left ‖ right)`. */
function innerNode(left: Uint8Array, right: Uint8Array, hash: Hash): Uint8Array {
  const input = new Uint8Array(1 + 2 * HASH_BYTES);
  input[0] = 1;
  input.set(left, 1);
  input.set(right, 1 + HASH_BYTES);
  return hash(input);
}

/**
 * All levels of one tree, kept flat: level 0 is the leaf nodes, 32 bytes each. A level's odd last
 * node moves up unchanged, which gives the tree of RFC 9162 (its left part is the largest power of two).
 */
export class MerkleTree {
  #size: number;
  #levels: readonly Uint8Array[];
  readonly #emptyRoot: Uint8Array;

  constructor(leaves: readonly Uint8Array[], hash: Hash = sha256) {
    this.#emptyRoot = hash(new Uint8Array(0));
    this.#size = leaves.length;
    this.#levels = atOnce(growLevels(leaves, hash));
  }

  /** The same tree in slices of some milliseconds, for who has something else to do as well. */
  static *grow(
    leaves: readonly Uint8Array[],
    hash: Hash = sha256,
  ): Generator<undefined, MerkleTree> {
    const tree = new MerkleTree([], hash);
    tree.#levels = yield* growLevels(leaves, hash);
    tree.#size = leaves.length;
    return tree;
  }

  get size(): number {
    return this.#size;
  }

  /** 32 bytes; of no leaves, SHA-256 of nothing. */
  root(): Uint8Array {
    if (this.size === 0) return this.#emptyRoot;
    return this.#node(this.#levels.length - 1, 0);
  }

  /** Sibling hashes, leaf to root. @throws RangeError when there is no such leaf */
  inclusionProof(leafIndex: number): readonly Uint8Array[] {
    return this.multiProof([leafIndex]);
  }

  /**
   * The hashes that a verifier of these leaves cannot compute, level by level from the leaves up,
   * each level from left to right. For one leaf it is the inclusion proof.
   * @param leafIndexes strictly ascending, at least one
   */
  multiProof(leafIndexes: readonly number[]): readonly Uint8Array[] {
    for (const index of leafIndexes) {
      if (index < 0 || index >= this.size) throw new RangeError(`no leaf ${index}`);
    }
    const proof: Uint8Array[] = [];
    walkUp(this.size, leafIndexes, (level, missing) => {
      proof.push(this.#node(level, missing));
    });
    return proof;
  }

  #node(level: number, index: number): Uint8Array {
    const nodes = this.#levels[level] ?? new Uint8Array(0);
    return nodes.slice(index * HASH_BYTES, (index + 1) * HASH_BYTES);
  }
}

function* growLevels(
  leaves: readonly Uint8Array[],
  hash: Hash,
): Generator<undefined, readonly Uint8Array[]> {
  let level = new Uint8Array(leaves.length * HASH_BYTES);
  // Leaves of one tree are as long as each other, as a rule: one input serves them all.
  let leafInput = new Uint8Array(0);
  for (let i = 0; i < leaves.length; i += 1) {
    const leaf = leaves[i] ?? leafInput;
    if (leafInput.length !== 1 + leaf.length) leafInput = new Uint8Array(1 + leaf.length);
    leafInput.set(leaf, 1);
    level.set(hash(leafInput), i * HASH_BYTES);
    if (i % SLICE === SLICE - 1) yield;
  }
  const levels = [level];
  const input = new Uint8Array(1 + 2 * HASH_BYTES);
  input[0] = 1;
  while (level.length > HASH_BYTES) {
    const count = level.length / HASH_BYTES;
    const above = new Uint8Array(Math.ceil(count / 2) * HASH_BYTES);
    for (let i = 0; i + 1 < count; i += 2) {
      input.set(level.subarray(i * HASH_BYTES, (i + 2) * HASH_BYTES), 1);
      above.set(hash(input), (i / 2) * HASH_BYTES);
      if (i % (2 * SLICE) === 2 * SLICE - 2) yield;
    }
    if (count % 2 === 1) above.set(level.subarray(-HASH_BYTES), above.length - HASH_BYTES);
    levels.push(above);
    level = above;
  }
  return levels;
}

/** Not by bit operations, which end at 2^31: a window may hold more statements. */
function siblingOf(index: number): number {
  return index % 2 === 0 ? index + 1 : index - 1;
}

/** Visits, in proof order, each sibling that the known nodes need and the proof must bring. */
function walkUp(
  treeSize: number,
  leafIndexes: readonly number[],
  needs: (level: number, index: number) => void,
): void {
  let known = leafIndexes;
  let width = treeSize;
  for (let level = 0; width > 1; level++) {
    const above: number[] = [];
    for (let i = 0; i < known.length; i++) {
      const index = known[i] ?? 0;
      const sibling = siblingOf(index);
      if (known[i + 1] === sibling) i += 1;
      else if (sibling < width) needs(level, sibling);
      above.push(Math.floor(index / 2));
    }
    known = above;
    width = Math.ceil(width / 2);
  }
}

/**
 * The root that these leaves and this proof give: equal to the signed root, or the proof is false.
 * @param leafIndexes strictly ascending, at least one, each below `treeSize`
 * @throws VerificationError MERKLE_INDEX, MERKLE_PROOF_LENGTH
 */
export function rootFromProof(
  treeSize: number,
  leafIndexes: readonly number[],
  leaves: readonly Uint8Array[],
  proof: readonly Uint8Array[],
  hash: Hash = sha256,
): Uint8Array {
  let known = indexedNodes(treeSize, leafIndexes, leaves, hash);
  let width = treeSize;
  let used = 0;
  while (width > 1) {
    const above: { readonly index: number; readonly node: Uint8Array }[] = [];
    for (let i = 0; i < known.length; i++) {
      const current = known[i];
      if (current === undefined) break;
      const { index, node } = current;
      const sibling = siblingOf(index);
      const next = known[i + 1];
      let parent = node; // an odd last node moves up unchanged
      if (next !== undefined && next.index === sibling) {
        parent = innerNode(node, next.node, hash);
        i += 1;
      } else if (sibling < width) {
        const brought = proof[used];
        used += 1;
        if (brought?.length !== HASH_BYTES) throw proofLength(used, proof.length);
        parent = sibling > index ? innerNode(node, brought, hash) : innerNode(brought, node, hash);
      }
      above.push({ index: Math.floor(index / 2), node: parent });
    }
    known = above;
    width = Math.ceil(width / 2);
  }
  if (used !== proof.length) throw proofLength(used, proof.length);
  return known[0]?.node ?? hash(new Uint8Array(0));
}

function indexedNodes(
  treeSize: number,
  leafIndexes: readonly number[],
  leaves: readonly Uint8Array[],
  hash: Hash,
): readonly { readonly index: number; readonly node: Uint8Array }[] {
  if (leafIndexes.length === 0 || leafIndexes.length !== leaves.length) {
    throw new VerificationError('MERKLE_INDEX', 'expected one index for each leaf, at least one');
  }
  let previous = -1;
  return leaves.map((leaf, i) => {
    const index = leafIndexes[i] ?? -1;
    if (!Number.isSafeInteger(index) || index <= previous || index >= treeSize) {
      throw new VerificationError(
        'MERKLE_INDEX',
        `expected ascending leaf indexes below ${treeSize}, got ${index} after ${previous}`,
      );
    }
    previous = index;
    return { index, node: leafNode(leaf, hash) };
  });
}

function proofLength(expected: number, got: number): VerificationError {
  return new VerificationError(
    'MERKLE_PROOF_LENGTH',
    `expected a proof of ${expected} hashes of 32 bytes, got ${got}`,
  );
}

/** @throws VerificationError MERKLE_ROOT_MISMATCH, MERKLE_INDEX, MERKLE_PROOF_LENGTH */
export function verifyInclusion(
  root: Uint8Array,
  treeSize: number,
  leafIndex: number,
  leaf: Uint8Array,
  proof: readonly Uint8Array[],
  hash: Hash = sha256,
): void {
  verifyLeaves(root, treeSize, [leafIndex], [leaf], proof, hash);
}

/** @throws VerificationError MERKLE_ROOT_MISMATCH, MERKLE_INDEX, MERKLE_PROOF_LENGTH */
export function verifyLeaves(
  root: Uint8Array,
  treeSize: number,
  leafIndexes: readonly number[],
  leaves: readonly Uint8Array[],
  proof: readonly Uint8Array[],
  hash: Hash = sha256,
): void {
  if (!equalBytes(rootFromProof(treeSize, leafIndexes, leaves, proof, hash), root)) {
    throw new VerificationError('MERKLE_ROOT_MISMATCH', 'the leaves do not give the signed root');
  }
}
