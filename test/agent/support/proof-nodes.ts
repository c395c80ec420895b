/** The nodes of a trie that a proof of the given keys needs. */
import { NodePool, sortNodes } from '../../../core/evm/node-pool.ts';
import { proveKey } from '../../../core/evm/trie-proof.ts';
import type { BuiltTrie } from '../../../fixtures/generate/bundles/trie-builder.ts';

/** @param keys hashed already */
export function proofNodes(trie: BuiltTrie, keys: readonly Uint8Array[]): readonly Uint8Array[] {
  const pool = new NodePool(sortNodes(trie.nodes));
  for (const key of keys) proveKey(trie.root, key, pool);
  return pool.used();
}
