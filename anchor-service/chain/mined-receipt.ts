/** Whether a block of the chain has one of a nonce's attempts. For progress and for people; evidence is the state proof. */
import { equalBytes } from '../../core/bytes.ts';
import type { Attempt } from '../ports.ts';
import { blockAt, type Endpoints } from './endpoints.ts';
import type { Endpoint } from './json-rpc.ts';
import { readBytes, readNumber, readObject, toDataHex } from './rpc-values.ts';

export type MinedReceipt = {
  readonly transactionHash: Uint8Array;
  readonly blockNumber: number;
  readonly gasUsed: number;
};

/**
 * Every attempt may be the one, newest first, and any endpoint may have it: one that is behind does not
 * know a receipt yet. A receipt that is forged only makes the finalizer look, and it asks for a proof.
 */
export async function findReceipt(
  endpoints: Endpoints,
  attempts: readonly Attempt[],
): Promise<MinedReceipt | undefined> {
  for (const { hash } of attempts.toReversed()) {
    const receipts = await endpoints.answers((endpoint) => receiptFrom(endpoint, hash));
    const receipt = receipts.find((answer) => answer !== undefined);
    if (receipt !== undefined) return receipt;
  }
  return undefined;
}

async function receiptFrom(
  endpoint: Endpoint,
  hash: Uint8Array,
): Promise<MinedReceipt | undefined> {
  const answer = await endpoint.call('eth_getTransactionReceipt', [toDataHex(hash)]);
  if (answer === null || answer === undefined) return undefined;
  const receipt = readObject(answer, 'transaction receipt');
  const blockNumber = readNumber(receipt['blockNumber'], 'block number');
  const blockHash = readBytes(receipt['blockHash'], 'block hash');
  // A receipt may outlive its block in an endpoint's index.
  const block = await blockAt(endpoint, blockNumber);
  if (!equalBytes(block.hash, blockHash)) return undefined;
  return { transactionHash: hash, blockNumber, gasUsed: readNumber(receipt['gasUsed'], 'gas') };
}
