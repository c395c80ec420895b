/** Puts both registries on a chain that has none: a local one, or one of a new consortium. */
import { ContractFactory, type InterfaceAbi, type JsonRpcProvider, type Wallet } from 'ethers';
import { fromHex } from '../../core/bytes.ts';
import { GRANT_REGISTRY_ABI, GRANT_REGISTRY_CREATION_CODE } from './grant-registry-abi.ts';
import { VEHICLE_REGISTRY_ABI, VEHICLE_REGISTRY_CREATION_CODE } from './vehicle-registry-abi.ts';

export type RegistryAddresses = {
  readonly vehicleRegistry: Uint8Array;
  readonly grantRegistry: Uint8Array;
};

export async function deployRegistries(
  wallet: Wallet,
  provider: JsonRpcProvider,
): Promise<RegistryAddresses> {
  const sender = wallet.connect(provider);
  const deploy = async (abi: unknown, code: string): Promise<Uint8Array> => {
    const contract = await new ContractFactory(abi as InterfaceAbi, code, sender).deploy();
    return fromHex(await (await contract.waitForDeployment()).getAddress());
  };
  // One after the other: both are of one sender, who counts its transactions.
  const vehicleRegistry = await deploy(VEHICLE_REGISTRY_ABI, VEHICLE_REGISTRY_CREATION_CODE);
  const grantRegistry = await deploy(GRANT_REGISTRY_ABI, GRANT_REGISTRY_CREATION_CODE);
  return { vehicleRegistry, grantRegistry };
}
