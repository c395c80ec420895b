import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asciiBytes, concatBytes, toHex } from '../../core/bytes.ts';
import { sha256 } from '../../core/hash.ts';
import { MerkleTree, rootFromProof, verifyInclusion, verifyLeaves } from '../../core/merkle.ts';
import { codeOf } from './coded-error.ts';

const leaves = Array.from({ length: 257 }, (_, i) => asciiBytes(`leaf ${i}`));

/** RFC 9162 section 2.1.1, as it is written there. */
function treeHash(of: readonly Uint8Array[]): Uint8Array {
  const [first] = of;
  if (first === undefined) return sha256(new Uint8Array(0));
  if (of.length === 1) return sha256(concatBytes(Uint8Array.of(0), first));
  const k = largestPowerBelow(of.length);
  return sha256(concatBytes(Uint8Array.of(1), treeHash(of.slice(0, k)), treeHash(of.slice(k))));
}

/** RFC 9162 section 2.1.3.1. */
function path(index: number, of: readonly Uint8Array[]): readonly Uint8Array[] {
  if (of.length === 1) return [];
  const k = largestPowerBelow(of.length);
  return index < k
    ? [...path(index, of.slice(0, k)), treeHash(of.slice(k))]
    : [...path(index - k, of.slice(k)), treeHash(of.slice(0, k))];
}

function largestPowerBelow(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

/** RFC 9162 section 2.1.3.2. @returns the root, or undefined when the path does not fit */
function rootOfPath(leaf: Uint8Array, index: bigint, size: bigint, proof: readonly Uint8Array[]) {
  let fn = index;
  let sn = size - 1n;
  let r = sha256(concatBytes(Uint8Array.of(0), leaf));
  for (const p of proof) {
    if (sn === 0n) return undefined;
    if (fn % 2n === 1n || fn === sn) {
      r = sha256(concatBytes(Uint8Array.of(1), p, r));
      while (fn % 2n === 0n && fn !== 0n) {
        fn >>= 1n;
        sn >>= 1n;
      }
    } else r = sha256(concatBytes(Uint8Array.of(1), r, p));
    fn >>= 1n;
    sn >>= 1n;
  }
  return sn === 0n ? r : undefined;
}

test('roots of 0 to 257 leaves are those of RFC 9162', () => {
  for (let size = 0; size <= 257; size++) {
    const part = leaves.slice(0, size);
    expect(toHex(new MerkleTree(part).root())).toBe(toHex(treeHash(part)));
  }
});

test('every leaf of trees of 1 to 257 is proven', () => {
  for (let size = 1; size <= 257; size++) {
    const tree = new MerkleTree(leaves.slice(0, size));
    const root = tree.root();
    for (let index = 0; index < size; index++) {
      const leaf = leaves[index] ?? new Uint8Array(0);
      verifyInclusion(root, size, index, leaf, tree.inclusionProof(index));
    }
  }
});

test('inclusion proofs are the paths of RFC 9162', () => {
  for (let size = 1; size <= 40; size++) {
    const part = leaves.slice(0, size);
    const tree = new MerkleTree(part);
    for (let index = 0; index < size; index++) {
      expect(tree.inclusionProof(index).map(toHex)).toEqual(path(index, part).map(toHex));
    }
  }
});

test('a path gives the root that RFC 9162 gives, in trees far past 2^32 leaves', () => {
  const hashes = fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 53 });
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.maxSafeNat(), hashes, (a, b, proof) => {
      const [index, size] = a < b ? [a, b] : [b, a + 1];
      const leaf = asciiBytes('leaf');
      const expected = rootOfPath(leaf, BigInt(index), BigInt(size), proof);
      let got: Uint8Array | undefined;
      const code = codeOf(() => (got = rootFromProof(size, [index], [leaf], proof)));
      if (expected === undefined) expect(code).toBe('MERKLE_PROOF_LENGTH');
      else expect(toHex(got ?? new Uint8Array(0))).toBe(toHex(expected));
    }),
  );
  // A proof of random length hardly ever fits; one that fits by construction, near the end of a window.
  const proof = Array.from({ length: 32 }, (_, i) => sha256(asciiBytes(`${i}`)));
  for (const index of [0, 2 ** 31 - 1, 2 ** 31, 3_000_000_000, 2 ** 32 - 1]) {
    const leaf = asciiBytes('leaf');
    const expected = rootOfPath(leaf, BigInt(index), 2n ** 32n, proof) ?? new Uint8Array(0);
    expect(toHex(rootFromProof(2 ** 32, [index], [leaf], proof))).toBe(toHex(expected));
  }
});

describe('proofs of several leaves', () => {
  const subset = fc
    .integer({ min: 1, max: 257 })
    .chain((size) =>
      fc.tuple(
        fc.constant(size),
        fc.uniqueArray(fc.nat(size - 1), { minLength: 1, maxLength: Math.min(size, 40) }),
      ),
    );
  const made = (size: number, unsorted: readonly number[]) => {
    const indexes = [...unsorted].sort((a, b) => a - b);
    const tree = new MerkleTree(leaves.slice(0, size));
    const chosen = indexes.map((index) => leaves[index] ?? new Uint8Array(0));
    return { indexes, chosen, proof: tree.multiProof(indexes), root: tree.root() };
  };

  /** By definition: level by level from the leaves, each sibling of a known node that is not known. */
  function siblings(size: number, indexes: readonly number[]): readonly string[] {
    const out: string[] = [];
    let known = new Set(indexes);
    for (let span = 1; span < size; span *= 2) {
      const width = Math.ceil(size / span);
      const missing = [...known].map((i) => i ^ 1).filter((i) => i < width && !known.has(i));
      for (const i of missing.sort((a, b) => a - b)) {
        out.push(toHex(treeHash(leaves.slice(i * span, Math.min(size, (i + 1) * span)))));
      }
      known = new Set([...known].map((i) => i >> 1));
    }
    return out;
  }

  test('prove every subset, and are as short as they can be', () => {
    fc.assert(
      fc.property(subset, ([size, unsorted]) => {
        const { indexes, chosen, proof, root } = made(size, unsorted);
        verifyLeaves(root, size, indexes, chosen, proof);
        expect(proof.map(toHex)).toEqual(siblings(size, indexes));
      }),
    );
  });

  test('fail with any other leaf, index, size or hash', () => {
    fc.assert(
      fc.property(subset, fc.nat(), fc.nat(), ([size, unsorted], at, bit) => {
        const { indexes, chosen, proof, root } = made(size, unsorted);
        const flip = (bytes: Uint8Array) =>
          bytes.map((byte, i) =>
            i === (bit >> 3) % bytes.length ? byte ^ (1 << (bit & 7)) : byte,
          );
        const at1 = at % chosen.length;
        const otherLeaf = chosen.map((leaf, i) => (i === at1 ? flip(leaf) : leaf));
        expect(codeOf(() => verifyLeaves(root, size, indexes, otherLeaf, proof))).toBe(
          'MERKLE_ROOT_MISMATCH',
        );
        if (proof.length > 0) {
          const at2 = at % proof.length;
          const otherHash = proof.map((hash, i) => (i === at2 ? flip(hash) : hash));
          expect(codeOf(() => verifyLeaves(root, size, indexes, chosen, otherHash))).toBe(
            'MERKLE_ROOT_MISMATCH',
          );
        }
        const otherIndex = indexes.map((index, i) => (i === at1 ? index + 1 : index));
        expect(codeOf(() => verifyLeaves(root, size, otherIndex, chosen, proof))).toMatch(
          /^MERKLE_/,
        );
      }),
    );
  });
});

test('there is no proof of a leaf that is not there', () => {
  expect(() => new MerkleTree(leaves.slice(0, 3)).inclusionProof(3)).toThrow(RangeError);
});
