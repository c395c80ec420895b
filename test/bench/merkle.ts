/** An RFC 9162 tree of 100,000 leaves against two libraries, in one run, interleaved. */
import { createHash, randomBytes } from 'node:crypto';
import { SimpleMerkleTree } from '@openzeppelin/merkle-tree';
import { MerkleTree as Merkletreejs } from 'merkletreejs';
import { MerkleTree } from '../../core/merkle.ts';
import { nativeSha256 } from '../../hw/crypto/native-hash.ts';

const ROUNDS = 3;

export type MerkleResult = { readonly name: string; readonly seconds: number };

/** CPU seconds of one build, the best of three rounds. OpenZeppelin builds a tenth, for it takes minutes. */
export function benchMerkle(leafCount: number): readonly MerkleResult[] {
  const leaves = Array.from({ length: leafCount }, () => new Uint8Array(randomBytes(32)));
  const buffers = leaves.map((leaf) => Buffer.from(leaf));
  const tenth = buffers.slice(0, leafCount / 10).map((leaf) => `0x${leaf.toString('hex')}`);
  const sha256 = (data: Buffer): Buffer => createHash('sha256').update(data).digest();
  const contenders = {
    [`Witnessmark, ${leafCount} leaves`]: () => new MerkleTree(leaves, nativeSha256).root(),
    [`merkletreejs, ${leafCount} leaves (no prefixes: another root)`]: () =>
      new Merkletreejs(buffers, sha256, { hashLeaves: true }).getRoot(),
    [`@openzeppelin/merkle-tree, ${leafCount / 10} leaves (keccak)`]: () =>
      SimpleMerkleTree.of(tenth).root,
  };
  const best = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, build] of Object.entries(contenders)) {
      const before = process.cpuUsage();
      build();
      const { user, system } = process.cpuUsage(before);
      best.set(name, Math.min(best.get(name) ?? Number.POSITIVE_INFINITY, (user + system) / 1e6));
    }
  }
  return [...best].map(([name, seconds]) => ({ name, seconds }));
}
