/** The owner's tool: wires identity, chain and enrolment. What the commands of the owner call. */
import { randomBytes } from 'node:crypto';
import { equalBytes } from '../core/bytes.ts';
import { recordId } from '../core/cose.ts';
import { decodeEnrolment, type Enrolment } from '../core/enrolment.ts';
import { encodeEnrolmentRequest } from '../core/enrolment-request.ts';
import { UserError } from '../core/errors.ts';
import { enrolmentCommitment } from '../core/registry-words.ts';
import { newEs256kSecret } from '../hw/keys/file-signer.ts';
import { openEthereumEndpoint } from './chain/ethereum-endpoint.ts';
import { vehicleCalls } from './chain/registry-calls.ts';
import { resolveDidEthr } from './chain/resolve-did.ts';
import { callSender } from './chain/send-call.ts';
import { addressOfWallet, decryptWallet, encryptWallet } from './chain/wallet-file.ts';
import { makeEnrolment, signEnrolment } from './enrol/make-enrolment.ts';
import { findVehicle, keepVehicle, readVehicle } from './enrol/vehicle-file.ts';
import { didEthr, didPkh, didPkhDocument } from './identity/did.ts';
import { createOwnerFolder, openOwnerFolder } from './identity/owner-folder.ts';

/** Makes a wallet and a recovery key for one vehicle. @throws UserError OWNER_FOLDER_EXISTS, OWNER_FOLDER */
export async function createOwner(folder: string, password: string): Promise<void> {
  await createOwnerFolder(folder, {
    walletSecret: newEs256kSecret(),
    recoverySecret: randomBytes(32),
    password,
    encryptWallet,
  });
}

/** 20 bytes. @throws UserError OWNER_FOLDER, WALLET_MALFORMED */
export function addressOfOwner(folder: string): Uint8Array {
  return addressOfWallet(openOwnerFolder(folder).wallet);
}

export type Identity = {
  readonly chainId: bigint;
  readonly dids: readonly { readonly did: string; readonly document: object | undefined }[];
};

export type IdentityQuestion = {
  readonly address: Uint8Array;
  /** Without an endpoint only the identifiers are known, and the document that follows from one. */
  readonly chain:
    | { readonly id: bigint }
    | { readonly rpc: string; readonly registry: Uint8Array | undefined };
};

/** @throws OperationalError CHAIN_UNREACHABLE, DID_UNRESOLVED */
export async function identify({ address, chain }: IdentityQuestion): Promise<Identity> {
  if ('id' in chain) return identity(chain.id, address, undefined);
  const endpoint = await openEthereumEndpoint(chain.rpc);
  try {
    const did = didEthr(endpoint.chainId, address);
    const document = await resolveDidEthr(did, endpoint, chain.registry);
    return identity(endpoint.chainId, address, document);
  } finally {
    endpoint.close();
  }
}

function identity(chainId: bigint, address: Uint8Array, document: object | undefined): Identity {
  return {
    chainId,
    dids: [
      { did: didEthr(chainId, address), document },
      { did: didPkh(chainId, address), document: didPkhDocument(chainId, address) },
    ],
  };
}

export type EnrolmentOrder = {
  /** The owner's folder. */
  readonly folder: string;
  readonly password: string;
  readonly request: Uint8Array;
  readonly code: string;
  readonly vin: string;
  readonly odometerKm: number | undefined;
  readonly registry: Uint8Array;
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
export async function enrolUnit(order: EnrolmentOrder): Promise<SignedByOwner> {
  const { folder } = order;
  const known = findVehicle(folder);
  // The answer may have been lost on its way: the same request gets the same one again.
  if (known !== undefined) return signedBefore(known.payload, order);
  const owner = openOwnerFolder(folder);
  const { key } = await decryptWallet(owner.wallet, order.password);
  const chainId = await chainIdOf(order.chain);
  const secrets = {
    vin: order.vin,
    vinSalt: randomBytes(32),
    vehicleSalt: randomBytes(32),
    registrySalt: randomBytes(32),
  };
  const enrolment = makeEnrolment(key.address, {
    ...order,
    chainId,
    recoveryKey: owner.recoveryPublicKey,
    enrolledAtS: Math.floor(Date.now() / 1000),
    secrets,
  });
  const payload = await signEnrolment(enrolment, key);
  // Before anything leaves: without the salts the enrolment could never be opened.
  keepVehicle(folder, { secrets, payload });
  return toSigned(enrolment, payload);
}

function signedBefore(payload: Uint8Array, { folder, request }: EnrolmentOrder): SignedByOwner {
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
 * Registers the vehicle and the commitment to its device key. May be repeated: what is there already costs nothing more
 * than the call.
 * @throws UserError OWNER_*, WALLET_*, REGISTRY_*; OperationalError CHAIN_*, CALL_FATE_UNKNOWN
 */
export async function registerVehicle(
  folder: string,
  password: string,
  rpc: string,
): Promise<{ readonly vehicleNumber: Uint8Array; readonly blockNumber: bigint }> {
  const { wallet } = await decryptWallet(openOwnerFolder(folder).wallet, password);
  const { secrets, payload } = readVehicle(folder);
  const { enrolment } = decodeEnrolment(payload);
  const endpoint = await openEthereumEndpoint(rpc);
  try {
    if (endpoint.chainId !== enrolment.chainId) {
      const message = `expected chain ${enrolment.chainId} of the enrolment, got ${endpoint.chainId}`;
      throw new UserError('CHAIN_OTHER', message);
    }
    const send = callSender(wallet, endpoint.provider);
    const calls = vehicleCalls(enrolment.contract);
    const { vehicleNumber, registrySalt } = enrolment;
    await send(calls.register(secrets.vehicleSalt));
    const id = recordId('enrolment', enrolment.deviceKey, payload);
    const { blockNumber } = await send(
      calls.addKey(vehicleNumber, enrolmentCommitment(registrySalt, id)),
    );
    return { vehicleNumber, blockNumber };
  } finally {
    endpoint.close();
  }
}
