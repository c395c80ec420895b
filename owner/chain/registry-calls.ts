/**
 * The calls of VehicleRegistry and GrantRegistry, as bytes that any wallet can send.
 * Implements contracts/README.md, "VehicleRegistry" and "GrantRegistry".
 */
import { Interface, type InterfaceAbi } from 'ethers';
import { fromHex, toHex } from '../../core/bytes.ts';
import type { ContractCall } from '../ports.ts';
import { GRANT_REGISTRY_ABI } from './grant-registry-abi.ts';
import { VEHICLE_REGISTRY_ABI } from './vehicle-registry-abi.ts';

const NOBODY = new Uint8Array(20);

export const VEHICLE_REGISTRY = new Interface(VEHICLE_REGISTRY_ABI as unknown as InterfaceAbi);
export const GRANT_REGISTRY = new Interface(GRANT_REGISTRY_ABI as unknown as InterfaceAbi);

/** @param registry address of VehicleRegistry; vehicles, salts and commitments have 32 bytes */
export function vehicleCalls(registry: Uint8Array): {
  register(salt: Uint8Array): ContractCall;
  addKey(vehicle: Uint8Array, commitment: Uint8Array): ContractCall;
  revokeKey(vehicle: Uint8Array, commitment: Uint8Array): ContractCall;
  /** @param to none withdraws the offer */
  offer(vehicle: Uint8Array, to: Uint8Array | undefined): ContractCall;
  accept(vehicle: Uint8Array): ContractCall;
} {
  const call = (name: string, ...values: readonly Uint8Array[]): ContractCall =>
    encode(VEHICLE_REGISTRY, registry, name, values);
  return {
    register: (salt) => call('register', salt),
    addKey: (vehicle, commitment) => call('addKey', vehicle, commitment),
    revokeKey: (vehicle, commitment) => call('revokeKey', vehicle, commitment),
    offer: (vehicle, to) => call('offer', vehicle, to ?? NOBODY),
    accept: (vehicle) => call('accept', vehicle),
  };
}

/** @param registry address of GrantRegistry */
export function revokeGrantCall(registry: Uint8Array, grantHash: Uint8Array): ContractCall {
  return encode(GRANT_REGISTRY, registry, 'revoke', [grantHash]);
}

function encode(
  contract: Interface,
  to: Uint8Array,
  name: string,
  values: readonly Uint8Array[],
): ContractCall {
  const texts = values.map((value) => `0x${toHex(value)}`);
  return { to, data: fromHex(contract.encodeFunctionData(name, texts)) };
}
