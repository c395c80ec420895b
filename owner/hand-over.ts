/**
 * An owner hands a vehicle over: signs that the epoch ends, and offers the vehicle to the next owner in the registry.
 * Implements spec/hand-over.md.
 */
import { decodeEnrolment } from '../core/enrolment.ts';
import {
  encodeHandOver,
  type HandOver,
  handOverDigest,
  handOverTypedData,
} from '../core/hand-over.ts';
import { type OwnerSignature, verifyOwnerSignature } from '../core/owner-signature.ts';
import { typedDataJson } from '../core/typed-data.ts';
import { openEndpointOf } from './chain/ethereum-endpoint.ts';
import { vehicleCalls } from './chain/registry-calls.ts';
import { callSender } from './chain/send-call.ts';
import { readVehicle } from './enrol/vehicle-file.ts';
import { openWallet } from './owner-wallet.ts';
import type { ContractCall } from './ports.ts';

/** What the owner of this folder is to sign. @throws UserError OWNER_NOT_ENROLLED */
export function draftHandOver(
  folder: string,
  newOwner: Uint8Array,
  handedOverAtS: number,
): HandOver {
  const { enrolment } = decodeEnrolment(readVehicle(folder).payload);
  const { chainId, contract, owner, tag, epoch, vehicleNumber } = enrolment;
  return { chainId, contract, owner, tag, epoch, vehicleNumber, newOwner, handedOverAtS };
}

/** The second parameter of eth_signTypedData_v4, for a wallet elsewhere. */
export function handOverTypedDataJson(handOver: HandOver): string {
  return typedDataJson(handOverTypedData(handOver));
}

/** Takes that wallet's signature. @throws VerificationError OWNER_SIGNATURE_INVALID */
export function withSignature(handOver: HandOver, signature: OwnerSignature): Uint8Array {
  verifyOwnerSignature(handOverDigest(handOver), handOver.owner, signature);
  return encodeHandOver({ handOver, signature });
}

/** Signs with the wallet in the folder. @throws UserError WALLET_* */
export async function signHandOver(
  folder: string,
  handOver: HandOver,
  password: string,
): Promise<Uint8Array> {
  const { key } = await openWallet(folder, password);
  const bytes = await key.signDigest(handOverDigest(handOver));
  return withSignature(handOver, { kind: 'key', bytes });
}

/** Offers the vehicle to the new owner in the registry; any wallet can send it. */
export function offerCall({ contract, vehicleNumber, newOwner }: HandOver): ContractCall {
  return vehicleCalls(contract).offer(vehicleNumber, newOwner);
}

/**
 * Offers the vehicle to the new owner, who accepts. May be repeated.
 * @throws UserError WALLET_*, CHAIN_OTHER, REGISTRY_*; OperationalError CHAIN_*, CALL_FATE_UNKNOWN
 */
export async function offerVehicle(
  folder: string,
  handOver: HandOver,
  password: string,
  rpc: string,
): Promise<{ readonly blockNumber: bigint }> {
  const { wallet } = await openWallet(folder, password);
  const endpoint = await openEndpointOf(handOver.chainId, rpc);
  try {
    return await callSender(wallet, endpoint.provider)(offerCall(handOver));
  } finally {
    endpoint.close();
  }
}
