/** What only a chain of one's own machine gives: money for nothing, and registries of one's own (anvil's methods). */
import { parseEther, toBeHex, Wallet } from 'ethers';
import { toHex } from '../../core/bytes.ts';
import { deployRegistries, type RegistryAddresses } from './deploy-registries.ts';
import { type EthereumEndpoint, openEthereumEndpoint } from './ethereum-endpoint.ts';

const ENOUGH = toBeHex(parseEther('1'));

/** @throws OperationalError CHAIN_UNREACHABLE */
export async function fundOnLocalChain(rpc: string, address: Uint8Array): Promise<void> {
  await withEndpoint(rpc, async (endpoint) => await fund(endpoint, `0x${toHex(address)}`));
}

/** By a wallet that nobody keeps: the registries belong to nobody. @throws OperationalError CHAIN_UNREACHABLE */
export async function deployOnLocalChain(rpc: string): Promise<RegistryAddresses> {
  return await withEndpoint(rpc, async (endpoint) => {
    const deployer = new Wallet(Wallet.createRandom().privateKey);
    await fund(endpoint, deployer.address);
    return await deployRegistries(deployer, endpoint.provider);
  });
}

async function fund({ provider }: EthereumEndpoint, address: string): Promise<void> {
  await provider.send('anvil_setBalance', [address, ENOUGH]);
  await provider.send('anvil_mine', ['0x1']);
}

async function withEndpoint<T>(
  rpc: string,
  work: (endpoint: EthereumEndpoint) => Promise<T>,
): Promise<T> {
  const endpoint = await openEthereumEndpoint(rpc);
  try {
    return await work(endpoint);
  } finally {
    endpoint.close();
  }
}
