import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { asciiBytes, concatBytes, toHex } from '../../core/bytes.ts';
import { sha256 } from '../../core/hash.ts';
import { type KeyNode, KeyTreeWalk, leafSecrets, nodesForRange } from '../../core/key-tree.ts';
import { codeOf } from './coded-error.ts';

const ROOT = sha256(asciiBytes('stream root'));
const TOP: KeyNode = { depth: 0, prefix: 0, node: ROOT };
const LAST = 2 ** 32 - 1;
const seqs = fc.oneof(fc.integer({ min: 0, max: LAST }), fc.nat(300));

/** By definition and by another library: 32 steps, one for each bit of seq, the highest first. */
function nodeOf(seq: number): Uint8Array {
  let node: Uint8Array = ROOT;
  for (let bit = 31; bit >= 0; bit--) {
    const both = createHash('sha512')
      .update(concatBytes(asciiBytes('wmk-node'), node))
      .digest();
    node = new Uint8Array(both.subarray((seq >>> bit) & 1 ? 32 : 0).subarray(0, 32));
  }
  return node;
}

test('a walk gives the same node in any order of seqs', () => {
  fc.assert(
    fc.property(fc.array(seqs, { minLength: 1, maxLength: 12 }), (asked) => {
      const walk = new KeyTreeWalk(TOP);
      for (const seq of asked) expect(toHex(walk.nodeOf(seq))).toBe(toHex(nodeOf(seq)));
    }),
  );
});

test('seqs in sequence cost two hashes each at most', () => {
  let hashes = 0;
  const walk = new KeyTreeWalk(TOP, (message) => {
    hashes += 1;
    return new Uint8Array(createHash('sha512').update(message).digest());
  });
  walk.nodeOf(1_000_000);
  const before = hashes;
  for (let seq = 1_000_001; seq <= 1_002_000; seq++) walk.nodeOf(seq);
  expect(hashes - before).toBeLessThanOrEqual(2 * 2000);
});

test('the nodes of a range cover exactly the range, in order, and are at most 62', () => {
  fc.assert(
    fc.property(seqs, seqs, (a, b) => {
      const [first, last] = a < b ? [a, b] : [b, a];
      const nodes = nodesForRange(ROOT, first, last);
      expect(nodes.length).toBeLessThanOrEqual(62);
      let next = first;
      for (const { depth, prefix } of nodes) {
        const span = 2 ** (32 - depth);
        expect(prefix * span).toBe(next);
        next += span;
      }
      expect(next).toBe(last + 1);
    }),
  );
});

test('a node of a range gives the keys of its seqs and of no other', () => {
  fc.assert(
    fc.property(seqs, fc.nat(5000), (first, width) => {
      const last = Math.min(LAST, first + width);
      for (const node of nodesForRange(ROOT, first, last)) {
        const span = 2 ** (32 - node.depth);
        const start = node.prefix * span;
        const walk = new KeyTreeWalk(node);
        for (const seq of new Set([start, start + span - 1])) {
          expect(toHex(walk.nodeOf(seq))).toBe(toHex(nodeOf(seq)));
        }
        for (const seq of [start - 1, start + span]) {
          expect(codeOf(() => walk.nodeOf(seq))).toBe('KEY_NODE_RANGE');
        }
      }
    }),
    { numRuns: 40 },
  );
});

test('leaf secrets are the three parts of one SHA-512', () => {
  const nonce = sha256(asciiBytes('nonce')).slice(0, 16);
  const { key, salt, handle } = leafSecrets(ROOT, nonce);
  const expected = createHash('sha512')
    .update(concatBytes(asciiBytes('wmk-leaf'), ROOT, nonce))
    .digest('hex');
  expect(toHex(concatBytes(key, salt, handle))).toBe(expected);
  expect([key.length, salt.length, handle.length]).toEqual([32, 16, 16]);
});

test('what is no range and no node is refused', () => {
  for (const [first, last] of [
    [1, 0],
    [-1, 5],
    [0, LAST + 1],
    [0.5, 3],
    [0, Number.NaN],
  ] as const) {
    expect(codeOf(() => nodesForRange(ROOT, first, last))).toBe('KEY_NODE_RANGE');
  }
  for (const change of [
    { depth: 33 },
    { depth: -1 },
    { depth: 0.5 },
    { prefix: 1 },
    { prefix: -1 },
  ]) {
    expect(codeOf(() => new KeyTreeWalk({ ...TOP, ...change }))).toBe('KEY_NODE_MALFORMED');
  }
});
