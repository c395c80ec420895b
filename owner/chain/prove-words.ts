/** Registry facts from a chain endpoint: each word with the proof under the block's own header. */
import { compareBytes, toHex } from '../../core/bytes.ts';
import { OperationalError } from '../../core/errors.ts';
import { decodeBlockHeader } from '../../core/evm/block-header.ts';
import { encodeBlockHeaderFromRpc } from '../../core/evm/header-from-rpc.ts';
import { NodePool } from '../../core/evm/node-pool.ts';
import { nodesFromRpcProof } from '../../core/evm/proof-from-rpc.ts';
import { proveAccount, proveStorage } from '../../core/evm/state-proof.ts';
import type { ProveWords } from '../ports.ts';
import type { EthereumEndpoint } from './ethereum-endpoint.ts';

/** @throws by the function that it makes: OperationalError CHAIN_BLOCK_ABSENT, REGISTRY_ABSENT; FormatError, VerificationError of core/evm */
export function wordProver({ provider, chainId }: EthereumEndpoint): ProveWords {
  return async (contract, slots, blockNumber) => {
    const number = `0x${blockNumber.toString(16)}`;
    const block: unknown = await provider.send('eth_getBlockByNumber', [number, false]);
    if (block === null || typeof block !== 'object') {
      const message = `the chain endpoint has no block ${blockNumber}`;
      throw new OperationalError('CHAIN_BLOCK_ABSENT', message, { retryable: true });
    }
    const header = encodeBlockHeaderFromRpc(block);
    const ascending = slots.toSorted(compareBytes);
    const proof = (await provider.send('eth_getProof', [
      dataHex(contract),
      ascending.map(dataHex),
      number,
    ])) as object;
    const pool = new NodePool(nodesFromRpcProof(proof));
    // Read from the proof, not from what the endpoint says beside it: what goes out is what a verifier will find.
    const account = proveAccount(decodeBlockHeader(header).stateRoot, contract, pool);
    if (account === undefined) {
      const message = `block ${blockNumber} has no contract at ${dataHex(contract)}`;
      throw new OperationalError('REGISTRY_ABSENT', message, { retryable: false });
    }
    const words = ascending.map((slot) => ({
      slot,
      value: proveStorage(account.storageRoot, slot, pool),
    }));
    return { chainId, contract, header, words, nodes: pool.used() };
  };
}

function dataHex(bytes: Uint8Array): string {
  return `0x${toHex(bytes)}`;
}
