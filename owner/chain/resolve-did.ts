/**
 * DID documents of an owner's address: did:ethr by the public resolver, from ERC-1056 on the chain; did:pkh from the
 * identifier alone.
 */
import { type DIDResolutionResult, Resolver } from 'did-resolver';
import { getResolver } from 'ethr-did-resolver';
import { toHex } from '../../core/bytes.ts';
import { OperationalError } from '../../core/errors.ts';
import type { EthereumEndpoint } from './ethereum-endpoint.ts';

/** Where ERC-1056 is on most public chains (README of ethr-did-registry). */
const USUAL_REGISTRY = '0xdca7ef03e98e0dc2b855be647c39abe984fcf21b';

/**
 * @param registry ERC-1056 (EthereumDIDRegistry) on this chain, 20 bytes; by default where it usually is
 * @throws OperationalError DID_UNRESOLVED
 */
export async function resolveDidEthr(
  did: string,
  { provider, chainId }: EthereumEndpoint,
  registry: Uint8Array | undefined,
): Promise<object> {
  const name = chainId === 1n ? 'mainnet' : `0x${chainId.toString(16)}`;
  const address = registry === undefined ? USUAL_REGISTRY : `0x${toHex(registry)}`;
  // The resolver is CommonJS, to which ethers' types are other ones than to us; the provider is the same.
  const network = { name, provider: provider as never, chainId, registry: address };
  const methods = getResolver({ networks: [network] });
  const result: DIDResolutionResult = await new Resolver({ ...methods }).resolve(did);
  const { error, message } = result.didResolutionMetadata as { error?: string; message?: string };
  if (error === undefined && result.didDocument !== null) return result.didDocument;
  const reason = message ?? error ?? 'no document';
  throw new OperationalError('DID_UNRESOLVED', `${did} does not resolve: ${reason}`, {
    retryable: true,
  });
}
