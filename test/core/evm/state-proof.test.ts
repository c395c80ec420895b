import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../../core/bytes.ts';
import { NodePool } from '../../../core/evm/node-pool.ts';
import { nodesFromRpcProof } from '../../../core/evm/proof-from-rpc.ts';
import { anchorSlot, proveAccount, proveStorage } from '../../../core/evm/state-proof.ts';
import { EMPTY_TRIE_ROOT } from '../../../core/evm/trie-proof.ts';
import { readRecorded } from '../../../fixtures/generate/evm/recorded.ts';

const { proofs } = readRecorded();
const refused = (code: string): unknown => expect.objectContaining({ code });

describe('arguments of a state proof', () => {
  it('an address has 20 bytes and a slot 32, or nothing is proven', () => {
    const pool = new NodePool([]);
    const [short, long] = [new Uint8Array(19), new Uint8Array(33)];
    const code = 'PROOF_INPUT_WIDTH';
    expect(() => proveAccount(EMPTY_TRIE_ROOT, short, pool)).toThrow(refused(code));
    expect(() => proveStorage(EMPTY_TRIE_ROOT, long, pool)).toThrow(refused(code));
    expect(() => anchorSlot(short, 0n)).toThrow(refused(code));
  });

  it('a window sequence has 64 bits', () => {
    expect(() => anchorSlot(new Uint8Array(20), 1n << 64n)).toThrow(refused('UINT64_RANGE'));
    expect(anchorSlot(new Uint8Array(20), (1n << 64n) - 1n)).toHaveLength(32);
  });
});

describe('proof from an endpoint', () => {
  it('gives the nodes of all its proofs once, and used() drops those that no proof needs', () => {
    const { embeddedNodes } = proofs;
    const nodes = nodesFromRpcProof(embeddedNodes);
    expect(new Set(nodes.map(toHex)).size).toBe(nodes.length);
    const pool = new NodePool(nodes);
    const root = fromHex(embeddedNodes.storageHash);
    for (const { key, value } of embeddedNodes.storageProof) {
      expect(BigInt(`0x${toHex(proveStorage(root, fromHex(key), pool))}`)).toBe(BigInt(value));
    }
    expect(() => pool.requireAllUsed()).toThrow(refused('PROOF_NODE_UNUSED'));
    const kept = new NodePool(pool.used());
    for (const { key } of embeddedNodes.storageProof) proveStorage(root, fromHex(key), kept);
    kept.requireAllUsed();
  });

  it.each([
    ['without lists', {}],
    ['with a number for a list', { accountProof: [], storageProof: 1 }],
    ['with a storage proof of nothing', { accountProof: [], storageProof: [null] }],
    ['with a number for a node', { accountProof: [1], storageProof: [] }],
    ['with half a byte', { accountProof: ['0xabc'], storageProof: [] }],
    ['with an empty node', { accountProof: ['0x'], storageProof: [] }],
  ])('is refused %s', (_what, answer) => {
    expect(() => nodesFromRpcProof(answer)).toThrow(refused('PROOF_RPC_FIELD'));
  });
});
