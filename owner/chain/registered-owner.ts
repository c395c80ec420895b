/** Asks the registry who owns an epoch. An answer of one endpoint and no proof: good enough to decide what to send. */
import { Contract } from 'ethers';
import { fromHex, toHex } from '../../core/bytes.ts';
import { OperationalError } from '../../core/errors.ts';
import type { EthereumEndpoint } from './ethereum-endpoint.ts';
import { VEHICLE_REGISTRY } from './registry-calls.ts';

/** @returns 20 bytes; undefined when there is no such epoch. @throws OperationalError CHAIN_UNREACHABLE */
export async function registeredOwner(
  { provider }: EthereumEndpoint,
  registry: Uint8Array,
  vehicle: Uint8Array,
  epoch: number,
): Promise<Uint8Array | undefined> {
  const contract = new Contract(`0x${toHex(registry)}`, VEHICLE_REGISTRY, provider);
  try {
    const [owner] = (await contract.getFunction('epochs')(`0x${toHex(vehicle)}`, epoch)) as [
      string,
    ];
    const address = fromHex(owner);
    return address.every((byte) => byte === 0) ? undefined : address;
  } catch (cause) {
    const message = 'the chain endpoint did not say who owns the vehicle';
    throw new OperationalError('CHAIN_UNREACHABLE', message, { retryable: true, cause });
  }
}
