import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asciiBytes, toHex } from '../../core/bytes.ts';
import { sha256, sha512 } from '../../core/hash.ts';
import {
  type KeyNode,
  KeyTreeWalk,
  nodesForRange,
  nodesWithin,
  rootNode,
} from '../../core/key-tree.ts';
import { ForwardKeyWalk, KeyNodesWalk } from '../../core/key-walks.ts';
import { codeOf } from './coded-error.ts';

const ROOT = sha256(asciiBytes('stream root'));
const LAST = 2 ** 32 - 1;
const seqs = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: LAST }));

function truth(seq: number): string {
  return toHex(new KeyTreeWalk(rootNode(ROOT)).nodeOf(seq));
}

describe('a walk over nodes', () => {
  test('gives what they cover and refuses everything else', () => {
    const range = fc
      .tuple(seqs, seqs)
      .map(([a, b]): readonly [number, number] => (a < b ? [a, b] : [b, a]));
    fc.assert(
      fc.property(range, range, fc.array(seqs, { maxLength: 8 }), (one, other, asked) => {
        const [[firstA, lastA], [firstB, lastB]] = one[0] <= other[0] ? [one, other] : [other, one];
        const from = Math.max(firstB, lastA + 1);
        const tops = [
          ...nodesForRange(ROOT, firstA, lastA),
          ...(from > lastB ? [] : nodesForRange(ROOT, from, lastB)),
        ];
        const walk = new KeyNodesWalk(tops);
        for (const seq of [...asked, firstA, lastA, lastA + 1, from, lastB]) {
          const isCovered = [
            [firstA, lastA],
            [from, lastB],
          ].some(([first = 0, last = 0]) => first <= seq && seq <= last);
          if (isCovered) expect(toHex(walk.nodeOf(seq))).toBe(truth(seq));
          else expect(codeOf(() => walk.nodeOf(seq))).toBe('KEY_NODE_RANGE');
        }
      }),
    );
  });

  test('refuses nodes that are none, and has nothing where there is none', () => {
    const wrong = { depth: 33, prefix: 0, node: ROOT };
    expect(codeOf(() => new KeyNodesWalk([rootNode(ROOT), wrong]))).toBe('KEY_NODE_MALFORMED');
    expect(codeOf(() => new ForwardKeyWalk([wrong]))).toBe('KEY_NODE_MALFORMED');
    expect(codeOf(() => new KeyNodesWalk([]).nodeOf(0))).toBe('KEY_NODE_RANGE');
    expect(codeOf(() => new ForwardKeyWalk([]).nodeOf(0))).toBe('KEY_NODE_RANGE');
  });
});

describe('a walk forward', () => {
  test('gives every seq from its first on, and none that it has passed', () => {
    const steps = fc.array(fc.oneof(fc.nat(3), fc.nat(5000), fc.nat(LAST)), { maxLength: 12 });
    fc.assert(
      fc.property(seqs, steps, (first, list) => {
        const walk = new ForwardKeyWalk(nodesForRange(ROOT, first, LAST));
        if (first > 0) expect(codeOf(() => walk.nodeOf(first - 1))).toBe('KEY_NODE_RANGE');
        let seq = first;
        for (const step of list) {
          seq = Math.min(LAST, seq + step);
          expect(toHex(walk.nodeOf(seq))).toBe(truth(seq));
          expect(toHex(walk.nodeOf(seq))).toBe(truth(seq));
          if (seq > 0) expect(codeOf(() => walk.nodeOf(seq - 1))).toBe('KEY_NODE_RANGE');
        }
      }),
    );
  });

  test('costs one hash for each seq on average, and leaves the nodes that it was given alone', () => {
    let hashes = 0;
    const given: readonly KeyNode[] = [rootNode(Uint8Array.from(ROOT))];
    const walk = new ForwardKeyWalk(given, (message) => {
      hashes += 1;
      return sha512(message);
    });
    walk.nodeOf(1_000_000);
    const before = hashes;
    for (let seq = 1_000_001; seq <= 1_002_048; seq++) walk.nodeOf(seq);
    expect(hashes - before).toBeLessThanOrEqual(2048 + 32);
    expect(given[0]?.node).toEqual(ROOT);
    walk.close();
    expect(codeOf(() => walk.nodeOf(1_002_049))).toBe('KEY_NODE_RANGE');
  });

  test('overwrites every node that gives a seq it has passed', () => {
    const made: Uint8Array[] = [];
    const walk = new ForwardKeyWalk([rootNode(ROOT)], (message) => {
      const both = sha512(message);
      made.push(both);
      return both;
    });
    walk.nodeOf(5);
    walk.nodeOf(77);
    const left = made.flatMap((both) => [both.subarray(0, 32), both.subarray(32)]);
    const toCome = new Set(
      [...nodesForRange(ROOT, 77, LAST), ...nodesForRange(ROOT, 77, 77)].map(({ node }) =>
        toHex(node),
      ),
    );
    // What follows from the suffix: the sibling on the right of 77's own node is one of them.
    const found = left.filter((node) => node.some((byte) => byte !== 0)).map(toHex);
    for (const node of nodesForRange(ROOT, 78, LAST)) toCome.add(toHex(node.node));
    expect(found.filter((node) => !toCome.has(node))).toEqual([]);
    expect(found.length).toBeGreaterThan(20);
  });
});

test('what is left is cut like the whole: to the nodes that both have', () => {
  fc.assert(
    fc.property(seqs, seqs, (a, b) => {
      const [early, late] = a < b ? [a, b] : [b, a];
      const rest = nodesForRange(ROOT, early, LAST);
      expect(nodesWithin(rest, late, LAST)).toEqual(nodesForRange(ROOT, late, LAST));
    }),
  );
});
