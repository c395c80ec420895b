/** One JSON-RPC endpoint of an EVM chain, by ethers. */
import { FetchRequest, JsonRpcProvider, Network } from 'ethers';
import { OperationalError, UserError } from '../../core/errors.ts';

const TIMEOUT_MS = 20_000;
const POLL_MS = 250;

export type EthereumEndpoint = {
  readonly provider: JsonRpcProvider;
  readonly chainId: bigint;
  close(): void;
};

/** @throws OperationalError CHAIN_UNREACHABLE (retryable) */
export async function openEthereumEndpoint(url: string): Promise<EthereumEndpoint> {
  const chainId = await readChainId(url);
  const request = new FetchRequest(url);
  request.timeout = TIMEOUT_MS;
  // Every answer is wanted fresh: what is read here becomes evidence or is shown to the owner. The network is known:
  // looking for it, ethers asks for ever when nobody answers, and prints.
  const provider = new JsonRpcProvider(request, chainId, {
    cacheTimeout: -1,
    pollingInterval: POLL_MS,
    staticNetwork: Network.from(chainId),
  });
  return { provider, chainId, close: () => provider.destroy() };
}

/**
 * Of the chain for which something was signed.
 * @throws UserError CHAIN_OTHER; OperationalError CHAIN_UNREACHABLE (retryable)
 */
export async function openEndpointOf(chainId: bigint, url: string): Promise<EthereumEndpoint> {
  const endpoint = await openEthereumEndpoint(url);
  if (endpoint.chainId === chainId) return endpoint;
  endpoint.close();
  const message = `expected chain ${chainId}, for which it was signed, got ${endpoint.chainId}`;
  throw new UserError('CHAIN_OTHER', message);
}

async function readChainId(url: string): Promise<bigint> {
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const { result } = (await answer.json()) as { readonly result?: unknown };
    return BigInt(String(result));
  } catch (cause) {
    const message = `the chain endpoint at ${new URL(url).host} does not answer`;
    throw new OperationalError('CHAIN_UNREACHABLE', message, { retryable: true, cause });
  }
}
