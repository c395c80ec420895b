/**
 * Proofs from endpoints, verified before anything is concluded from them.
 * An answer that proves nothing is the endpoint's fault and another one is asked; what a proof proves stands.
 */

import { FormatError, OperationalError, VerificationError } from '../../core/errors.ts';
import { decodeBlockHeader } from '../../core/evm/block-header.ts';
import { NodePool } from '../../core/evm/node-pool.ts';
import { nodesFromRpcProof } from '../../core/evm/proof-from-rpc.ts';
import { type Account, proveAccount, proveStorage } from '../../core/evm/state-proof.ts';
import type { Block, Endpoints } from './endpoints.ts';
import { readObject, toDataHex, toQuantityHex } from './rpc-values.ts';

export type ProvenSlot = {
  /** Undefined: the state provably has no such account. */
  readonly account: Account | undefined;
  /** 32 bytes; zero when there is no account. */
  readonly value: Uint8Array;
  /** Trie nodes of both proofs, in the canonical order, each one needed. */
  readonly nodes: readonly Uint8Array[];
};

/** @throws OperationalError PROOF_UNUSABLE, RPC_* (retryable) */
export async function proveSlot(
  endpoints: Endpoints,
  block: Block,
  address: Uint8Array,
  slot: Uint8Array,
): Promise<ProvenSlot> {
  return await withProof(endpoints, block, address, [slot], (pool) => {
    const { stateRoot } = decodeBlockHeader(block.header);
    const account = proveAccount(stateRoot, address, pool);
    const value =
      account === undefined ? new Uint8Array(32) : proveStorage(account.storageRoot, slot, pool);
    return { account, value, nodes: pool.used() };
  });
}

/**
 * How many transactions an account has in a state; proven, since a nonce that an endpoint made up would leave a
 * gap that no transaction ever fills.
 * @throws OperationalError PROOF_UNUSABLE, RPC_* (retryable)
 */
export async function provenNonce(
  endpoints: Endpoints,
  block: Block,
  address: Uint8Array,
): Promise<number> {
  const anySlot = new Uint8Array(32);
  const { account } = await proveSlot(endpoints, block, address, anySlot);
  return Number(account?.nonce ?? 0n);
}

/** @throws OperationalError PROOF_UNUSABLE, RPC_* (retryable) */
export async function withProof<T>(
  endpoints: Endpoints,
  block: Block,
  address: Uint8Array,
  slots: readonly Uint8Array[],
  read: (pool: NodePool, nodes: readonly Uint8Array[]) => T,
): Promise<T> {
  return await endpoints.any(async (endpoint) => {
    const parameters = [toDataHex(address), slots.map(toDataHex), toQuantityHex(block.number)];
    const answer = readObject(await endpoint.call('eth_getProof', parameters), 'proof');
    try {
      const nodes = nodesFromRpcProof(answer);
      return read(new NodePool(nodes), nodes);
    } catch (cause) {
      if (!(cause instanceof FormatError) && !(cause instanceof VerificationError)) throw cause;
      throw new OperationalError(
        'PROOF_UNUSABLE',
        `${endpoint.name} answered a proof at block ${block.number} that proves nothing: ${cause.message}`,
        { retryable: true, cause },
      );
    }
  });
}
