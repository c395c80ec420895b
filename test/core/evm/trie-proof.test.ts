import {
  createMerkleProof,
  createMPT,
  type MerklePatriciaTrie,
  verifyMerkleProof,
} from '@ethereumjs/mpt';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../../core/bytes.ts';
import { VerificationError } from '../../../core/errors.ts';
import { keccak256 } from '../../../core/evm/keccak.ts';
import { NodePool, sortNodes } from '../../../core/evm/node-pool.ts';
import { EMPTY_TRIE_ROOT, proveKey } from '../../../core/evm/trie-proof.ts';
import { bitsOf, flipBit } from './flip-bit.ts';

type Entries = readonly (readonly [key: Uint8Array, value: Uint8Array])[];

async function trieOf(entries: Entries): Promise<MerklePatriciaTrie> {
  const trie = await createMPT();
  for (const [key, value] of entries) await trie.put(key, value);
  return trie;
}

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
/** Keys that part late: 31 shared bytes put short leaves and branches inside their parents. */
const lateKey = fc
  .uint8Array({ minLength: 2, maxLength: 2 })
  .map((end) => concatBytes(new Uint8Array(30), end));
const value = fc.uint8Array({ minLength: 1, maxLength: 40 });
const entriesOf = (key: fc.Arbitrary<Uint8Array>) =>
  fc.uniqueArray(fc.tuple(key, value), {
    ...{ minLength: 1, maxLength: 40 },
    selector: ([k]) => k.join(),
  });

describe('walk of a trie', () => {
  it.each([
    ['spread', bytes32],
    ['late parting', lateKey],
  ])('finds in tries of %s keys what a second implementation put there', async (_kind, key) => {
    await fc.assert(
      fc.asyncProperty(entriesOf(key), fc.array(key, { maxLength: 5 }), async (entries, others) => {
        const trie = await trieOf(entries);
        for (const wanted of [...entries.map(([k]) => k), ...others]) {
          const nodes = await createMerkleProof(trie, wanted);
          const pool = new NodePool(sortNodes(nodes));
          const oracle = await verifyMerkleProof(wanted, nodes, { root: trie.root() });
          expect(proveKey(trie.root(), wanted, pool) ?? null).toEqual(oracle);
          // The other implementation lists embedded nodes on their own as well.
          expect(pool.unused().filter(({ length }) => length >= 32)).toEqual([]);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('proves a hundred keys of three thousand from one pool', async () => {
    const entries: Entries = Array.from({ length: 3000 }, (_, i) => [
      keccak256(Uint8Array.of(i >> 8, i & 255)),
      Uint8Array.of(1, i >> 8, i & 255),
    ]);
    const trie = await trieOf(entries);
    const some = entries.filter((_, i) => i % 30 === 0);
    const nodes: Uint8Array[] = [];
    for (const [key] of some) nodes.push(...(await createMerkleProof(trie, key)));
    const pool = new NodePool(sortNodes(nodes));
    for (const [key, expected] of some) expect(proveKey(trie.root(), key, pool)).toEqual(expected);
    pool.requireAllUsed();
    expect(pool.used()).toEqual(sortNodes(nodes));
  });

  it('gives no other answer when any one bit of the nodes is flipped', async () => {
    await fc.assert(
      fc.asyncProperty(entriesOf(bytes32), fc.nat(), async (entries, at) => {
        const trie = await trieOf(entries);
        const [[key] = [new Uint8Array(32)]] = entries;
        const flat = await createMerkleProof(trie, key);
        const pool = new NodePool(sortNodes(flipBit(flat, at % bitsOf(flat))));
        expect(() => proveKey(trie.root(), key, pool)).toThrow(withCode('PROOF_NODE_MISSING'));
      }),
    );
  });

  it('throws nothing but VerificationError on nodes of random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), bytes32, (node, key) => {
        try {
          proveKey(keccak256(node), key, new NodePool([node]));
        } catch (error) {
          expect(error).toBeInstanceOf(VerificationError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses a key or a root that is no hash', () => {
    const pool = new NodePool([]);
    const short = new Uint8Array(31);
    expect(() => proveKey(EMPTY_TRIE_ROOT, short, pool)).toThrow(withCode('PROOF_INPUT_WIDTH'));
    expect(() => proveKey(short, new Uint8Array(32), pool)).toThrow(withCode('PROOF_INPUT_WIDTH'));
  });

  it('refuses more nodes than a bundle may carry', () => {
    const nodes = Array.from({ length: 65_537 }, () => Uint8Array.of(1));
    expect(() => new NodePool(nodes)).toThrow(withCode('PROOF_NODE_COUNT'));
  });
});

function withCode(code: string): unknown {
  return expect.objectContaining({ code });
}
