/**
 * The owner's half of an enrolment: signing it, by a wallet file or by a wallet elsewhere, and registering it.
 * Wires identity, enrol and chain. Implements spec/enrolment.md, "Request".
 */
import { randomBytes } from 'node:crypto';
import { equalBytes, toHex } from '../core/bytes.ts';
import { recordId } from '../core/cose.ts';
import {
  decodeEnrolment,
  type Enrolment,
  encodeEnrolment,
  enrolmentDigest,
  enrolmentTypedData,
} from '../core/enrolment.ts';
import { encodeEnrolmentRequest } from '../core/enrolment-request.ts';
import { UserError } from '../core/errors.ts';
import { decodeHandOver, verifyHandOver } from '../core/hand-over.ts';
import { type OwnerSignature, UNSIGNED, verifyOwnerSignature } from '../core/owner-signature.ts';
import { enrolmentCommitment } from '../core/registry-words.ts';
import { typedDataJson } from '../core/typed-data.ts';
import {
  type EthereumEndpoint,
  openEndpointOf,
  openEthereumEndpoint,
} from './chain/ethereum-endpoint.ts';
import { registeredOwner } from './chain/registered-owner.ts';
import { vehicleCalls } from './chain/registry-calls.ts';
import { callSender } from './chain/send-call.ts';
import { makeEnrolment } from './enrol/make-enrolment.ts';
import {
  findVehicle,
  keepDraft,
  keepVehicle,
  readDraft,
  readVehicle,
  type VehicleFile,
} from './enrol/vehicle-file.ts';
import { type OwnerFolder, openOwnerFolder } from './identity/owner-folder.ts';
import { openWallet } from './owner-wallet.ts';
import type { ContractCall } from './ports.ts';

export type EnrolmentOrder = {
  /** The owner's folder. */
  readonly folder: string;
  readonly request: Uint8Array;
  readonly code: string;
  readonly vin: string;
  readonly odometerKm: number | undefined;
  readonly registry: Uint8Array;
  /** Of the owner before, who says which vehicle of the registry it is; none for the first owner. */
  readonly handOver?: Uint8Array | undefined;
  readonly chain: { readonly id: bigint } | { readonly rpc: string };
};

export type SignedByOwner = {
  /** For the unit. */
  readonly payload: Uint8Array;
  readonly enrolmentId: Uint8Array;
  readonly vehicleNumber: Uint8Array;
};

/**
 * Signs the enrolment of a unit; nothing is sent.
 * @throws UserError OWNER_*, WALLET_*, PAIRING_CODE, VIN_MALFORMED; OperationalError CHAIN_UNREACHABLE
 */
export async function enrolUnit(order: EnrolmentOrder, password: string): Promise<SignedByOwner> {
  const { folder } = order;
  const known = findVehicle(folder);
  // The answer may have been lost on its way: the same request gets the same one again.
  if (known !== undefined) return signedBefore(known, order);
  const { key } = await openWallet(folder, password);
  const draft = await draftOf(openOwnerFolder(folder), order);
  const { enrolment } = decodeEnrolment(draft.payload);
  const bytes = await key.signDigest(enrolmentDigest(enrolment));
  return keepSigned(folder, draft, { kind: 'key', bytes });
}

/**
 * For a wallet elsewhere: what it is asked to sign. The draft is kept, and replaced by the next.
 * @returns the second parameter of eth_signTypedData_v4
 * @throws as `enrolUnit`
 */
export async function draftEnrolment(order: EnrolmentOrder): Promise<string> {
  const { folder } = order;
  if (findVehicle(folder) !== undefined) {
    throw new UserError('OWNER_ENROLLED', `${folder} has enrolled a vehicle already`);
  }
  const draft = await draftOf(openOwnerFolder(folder), order);
  keepDraft(folder, draft);
  return typedDataJson(enrolmentTypedData(decodeEnrolment(draft.payload).enrolment));
}

/** Takes that wallet's signature. @throws UserError OWNER_*; VerificationError OWNER_SIGNATURE_INVALID */
export function finishEnrolment(folder: string, signature: OwnerSignature): SignedByOwner {
  const draft = readDraft(folder);
  const { enrolment } = decodeEnrolment(draft.payload);
  verifyOwnerSignature(enrolmentDigest(enrolment), enrolment.owner, signature);
  return keepSigned(folder, draft, signature);
}

async function draftOf(owner: OwnerFolder, order: EnrolmentOrder): Promise<VehicleFile> {
  const secrets = {
    vin: order.vin,
    vinSalt: randomBytes(32),
    vehicleSalt: randomBytes(32),
    registrySalt: randomBytes(32),
  };
  const enrolment = makeEnrolment(owner.address, {
    ...order,
    vehicleNumber: order.handOver && boughtVehicle(order.handOver, owner.address),
    chainId: await chainIdOf(order.chain),
    recoveryKey: owner.recoveryPublicKey,
    enrolledAtS: Math.floor(Date.now() / 1000),
    secrets,
  });
  return { secrets, payload: encodeEnrolment({ enrolment, signature: UNSIGNED }) };
}

/** @throws UserError HAND_OVER_FOREIGN; VerificationError OWNER_SIGNATURE_INVALID; FormatError */
function boughtVehicle(bytes: Uint8Array, owner: Uint8Array): Uint8Array {
  const signed = decodeHandOver(bytes);
  verifyHandOver(signed);
  const { newOwner, vehicleNumber } = signed.handOver;
  if (equalBytes(newOwner, owner)) return vehicleNumber;
  const message = `the vehicle was handed over to 0x${toHex(newOwner)}, which is not this owner`;
  throw new UserError('HAND_OVER_FOREIGN', message);
}

function keepSigned(
  folder: string,
  { secrets, payload: unsigned }: VehicleFile,
  signature: OwnerSignature,
): SignedByOwner {
  const { enrolment } = decodeEnrolment(unsigned);
  const payload = encodeEnrolment({ enrolment, signature });
  // Before anything leaves: without the salts the enrolment could never be opened.
  keepVehicle(folder, { secrets, payload });
  return toSigned(enrolment, payload);
}

function signedBefore(
  { payload }: VehicleFile,
  { folder, request }: EnrolmentOrder,
): SignedByOwner {
  const { enrolment } = decodeEnrolment(payload);
  if (equalBytes(encodeEnrolmentRequest(enrolment), request)) return toSigned(enrolment, payload);
  const message = `${folder} has enrolled another unit: one owner's folder for each vehicle`;
  throw new UserError('OWNER_ENROLLED', message);
}

function toSigned(enrolment: Enrolment, payload: Uint8Array): SignedByOwner {
  const { deviceKey, vehicleNumber } = enrolment;
  return { payload, enrolmentId: recordId('enrolment', deviceKey, payload), vehicleNumber };
}

async function chainIdOf(chain: EnrolmentOrder['chain']): Promise<bigint> {
  if ('id' in chain) return chain.id;
  const endpoint = await openEthereumEndpoint(chain.rpc);
  endpoint.close();
  return endpoint.chainId;
}

/**
 * The two calls that register the vehicle, or take it over from its owner before, and the device key: for a wallet
 * elsewhere. Only the first owner's may be repeated: a vehicle is taken over once.
 * @throws UserError OWNER_NOT_ENROLLED
 */
export function registrationCalls(folder: string): readonly ContractCall[] {
  const { secrets, payload } = readVehicle(folder);
  const { enrolment } = decodeEnrolment(payload);
  const { contract, deviceKey, epoch, vehicleNumber, registrySalt } = enrolment;
  const id = recordId('enrolment', deviceKey, payload);
  const calls = vehicleCalls(contract);
  return [
    epoch === 0 ? calls.register(secrets.vehicleSalt) : calls.accept(vehicleNumber),
    calls.addKey(vehicleNumber, enrolmentCommitment(registrySalt, id)),
  ];
}

/**
 * Registers the vehicle and the commitment to its device key. May be repeated: what is there already costs nothing more
 * than the call.
 * @throws UserError OWNER_*, WALLET_*, CHAIN_OTHER, REGISTRY_*; OperationalError CHAIN_*, CALL_FATE_UNKNOWN
 */
export async function registerVehicle(
  folder: string,
  password: string,
  rpc: string,
): Promise<{ readonly vehicleNumber: Uint8Array; readonly blockNumber: bigint }> {
  const { wallet } = await openWallet(folder, password);
  const { enrolment } = decodeEnrolment(readVehicle(folder).payload);
  const { chainId, vehicleNumber } = enrolment;
  const endpoint = await openEndpointOf(chainId, rpc);
  try {
    const send = callSender(wallet, endpoint.provider);
    let blockNumber = 0n;
    const [first, ...rest] = registrationCalls(folder);
    const isTakenOver = enrolment.epoch > 0 && (await isOwnEpoch(enrolment, endpoint));
    for (const call of isTakenOver || first === undefined ? rest : [first, ...rest]) {
      ({ blockNumber } = await send(call));
    }
    return { vehicleNumber, blockNumber };
  } finally {
    endpoint.close();
  }
}

/** Whether the epoch that this owner enrols has begun: the offer of the owner before was taken. */
async function isOwnEpoch(
  { contract, epoch, owner, vehicleNumber }: Enrolment,
  endpoint: EthereumEndpoint,
): Promise<boolean> {
  const registered = await registeredOwner(endpoint, contract, vehicleNumber, epoch);
  return registered !== undefined && equalBytes(registered, owner);
}
