/**
 * A header link of one hop from a chain endpoint: that an older block is an ancestor of a block that somebody knows.
 * Implements spec/evm-proofs.md, "Header link".
 */
import { toHex } from '../../core/bytes.ts';
import { OperationalError, UserError } from '../../core/errors.ts';
import { encodeBlockHeaderFromRpc } from '../../core/evm/header-from-rpc.ts';
import {
  type HeaderLink,
  HISTORY_ADDRESS,
  HISTORY_BLOCKS,
  trimHeaderLink,
} from '../../core/evm/header-link.ts';
import { nodesFromRpcProof } from '../../core/evm/proof-from-rpc.ts';
import { padTo32, quantityBytes } from '../../core/evm/quantity.ts';
import type { EthereumEndpoint } from './ethereum-endpoint.ts';

/**
 * @param newest that the reader knows
 * @param older at most 8,191 blocks before it
 * @throws UserError HEADER_LINK_FAR; OperationalError CHAIN_BLOCK_ABSENT; FormatError, VerificationError of core/evm when
 *   the endpoint’s proof proves nothing, as on a chain without the history contract
 */
export async function historyLink(
  { provider, chainId }: EthereumEndpoint,
  newest: bigint,
  older: bigint,
): Promise<HeaderLink> {
  if (older >= newest || older + HISTORY_BLOCKS < newest) {
    const message = `a link leads from block ${newest} to one of the ${HISTORY_BLOCKS} before it, not to ${older}`;
    throw new UserError('HEADER_LINK_FAR', message);
  }
  const number = `0x${newest.toString(16)}`;
  const block: unknown = await provider.send('eth_getBlockByNumber', [number, false]);
  if (block === null || typeof block !== 'object') {
    const message = `the chain endpoint has no block ${newest}`;
    throw new OperationalError('CHAIN_BLOCK_ABSENT', message, { retryable: true });
  }
  const slot = padTo32(quantityBytes(older % HISTORY_BLOCKS));
  const address = `0x${toHex(HISTORY_ADDRESS)}`;
  const slots = [`0x${toHex(slot)}`];
  const proof = (await provider.send('eth_getProof', [address, slots, number])) as object;
  const header = encodeBlockHeaderFromRpc(block);
  // Read as the unit will read it: what proves nothing is found here.
  return trimHeaderLink({
    chainId,
    hops: [{ kind: 'history', header, numbers: [older] }],
    nodes: nodesFromRpcProof(proof),
  });
}
