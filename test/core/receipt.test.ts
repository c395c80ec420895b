import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MerkleTree } from '../../core/merkle.ts';
import {
  type AnchoredWindow,
  decodeAnchoredWindow,
  decodeInclusion,
  encodeAnchoredWindow,
  encodeInclusion,
  type Inclusion,
  verifyInclusionLevels,
} from '../../core/receipt.ts';
import { blob, bytesOf, hash } from './arbitrary-records.ts';
import { codeOf } from './coded-error.ts';
import { testCodec } from './test-codec.ts';

const inclusion: fc.Arbitrary<Inclusion> = fc.record({
  statementId: hash,
  windowRecordHash: hash,
  levels: fc.array(
    fc.record({
      treeSize: fc.nat({ max: 2 ** 30 }),
      leafIndex: fc.nat({ max: 2 ** 30 }),
      path: fc.array(hash, { maxLength: 5 }),
    }),
    { minLength: 1, maxLength: 4 },
  ),
});

const anchoredWindow: fc.Arbitrary<AnchoredWindow> = fc.record({
  record: blob,
  anchors: fc.array(
    fc.record({ kind: fc.constant('evm' as const), header: blob, nodes: fc.array(blob) }),
    { maxLength: 1 },
  ),
});

testCodec('inclusion', inclusion, { encode: encodeInclusion, decode: decodeInclusion });
testCodec('anchored window', anchoredWindow, {
  encode: encodeAnchoredWindow,
  decode: decodeAnchoredWindow,
});

test('an entry leads through two levels to the root, at its own place alone', () => {
  fc.assert(
    fc.property(
      fc.array(bytesOf(64), { minLength: 1, maxLength: 9 }),
      fc.array(hash, { minLength: 1, maxLength: 5 }),
      fc.nat(),
      fc.nat(),
      (entries, cells, a, b) => {
        const [leafIndex, cell] = [a % entries.length, b % cells.length];
        const lower = new MerkleTree(entries);
        const upper = new MerkleTree(cells.map((root, i) => (i === cell ? lower.root() : root)));
        const levels = [
          { treeSize: lower.size, leafIndex, path: lower.inclusionProof(leafIndex) },
          { treeSize: upper.size, leafIndex: cell, path: upper.inclusionProof(cell) },
        ];
        const expected = { root: upper.root(), treeSize: upper.size };
        const entry = entries[leafIndex] ?? new Uint8Array(0);
        verifyInclusionLevels(entry, levels, expected);
        const other = entry.map((byte, i) => (i === 0 ? byte ^ 1 : byte));
        expect(codeOf(() => verifyInclusionLevels(other, levels, expected))).toBe(
          'MERKLE_ROOT_MISMATCH',
        );
      },
    ),
  );
});
