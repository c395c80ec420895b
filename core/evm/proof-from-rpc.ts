/**
 * The answer of eth_getProof, to the trie nodes it carries.
 * Implements spec/evm-proofs.md, "Node list".
 */
import { fromHex } from '../bytes.ts';
import { FormatError } from '../errors.ts';
import { sortNodes } from './node-pool.ts';

/**
 * Returns all nodes of the account proof and of all storage proofs, in the canonical order of a NodePool.
 * Endpoints may send nodes that a proof does not need (some list embedded nodes on their own), so a maker
 * of proofs runs them once and keeps `pool.used()`. From an endpoint: the claimed values are not read.
 * @throws FormatError PROOF_RPC_FIELD
 */
export function nodesFromRpcProof(proof: object): Uint8Array[] {
  const { accountProof, storageProof } = proof as Record<string, unknown>;
  const lists = [accountProof];
  for (const entry of arrayField('storageProof', storageProof)) {
    lists.push((entry as { proof?: unknown } | null)?.proof);
  }
  return sortNodes(lists.flatMap((list) => arrayField('proof', list).map(toNode)));
}

function arrayField(name: string, value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) {
    throw new FormatError('PROOF_RPC_FIELD', `expected ${name} as a list`);
  }
  return value;
}

function toNode(value: unknown): Uint8Array {
  if (typeof value !== 'string' || !/^0x([0-9a-f]{2})+$/i.test(value)) {
    throw new FormatError('PROOF_RPC_FIELD', 'expected a trie node as hexadecimal bytes');
  }
  return fromHex(value);
}
