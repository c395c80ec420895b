/** The owner's tool: who the owner is, and what only the owner opens. Wires identity and chain; of enrolments see enrolment.ts. */
import { randomBytes } from 'node:crypto';
import type { CustodyContent } from '../core/custody-record.ts';
import { decodeEnrolment } from '../core/enrolment.ts';
import type { OpenedRoots, SealedRoots } from '../core/sealed-roots.ts';
import { hpkeOpen, hpkeSeal } from '../hw/crypto/hpke.ts';
import { newEs256kSecret } from '../hw/keys/file-signer.ts';
import { openEthereumEndpoint } from './chain/ethereum-endpoint.ts';
import { resolveDidEthr } from './chain/resolve-did.ts';
import { addressOfWallet, encryptWallet } from './chain/wallet-file.ts';
import { readVehicle } from './enrol/vehicle-file.ts';
import { draftErasure, type ErasureWish, keepDraft, signErasure } from './erasure.ts';
import { didEthr, didPkh, didPkhDocument } from './identity/did.ts';
import { createOwnerFolder, openOwnerFolder } from './identity/owner-folder.ts';
import { openWallet } from './owner-wallet.ts';
import { type PasswordCost, SLOW } from './password-cost.ts';
import { openRootsWith } from './roots.ts';
import { signContent } from './signed-record.ts';

/**
 * Makes a recovery key and a wallet for one vehicle.
 * @param address of a wallet elsewhere, 20 bytes; then none is made
 * @param cost of guessing the password: less only where everybody knows it
 * @throws UserError OWNER_FOLDER_EXISTS, OWNER_FOLDER
 */
export async function createOwner(
  folder: string,
  password: string,
  address?: Uint8Array,
  cost: PasswordCost = SLOW,
): Promise<void> {
  const recoverySecret = randomBytes(32);
  const secret = { recoverySecret, password, cost };
  if (address !== undefined) {
    await createOwnerFolder(folder, { address, wallet: undefined, ...secret });
    return;
  }
  const wallet = await encryptWallet(newEs256kSecret(), password, cost);
  await createOwnerFolder(folder, { address: addressOfWallet(wallet), wallet, ...secret });
}

/** 20 bytes. @throws UserError OWNER_FOLDER */
export function addressOfOwner(folder: string): Uint8Array {
  return openOwnerFolder(folder).address;
}

/** What a unit sealed to this owner's recovery key, opened. @throws as `openRootsWith` */
export async function openRoots(
  sealed: readonly SealedRoots[],
  folder: string,
  password: string,
): Promise<readonly OpenedRoots[]> {
  return await openRootsWith(hpkeOpen, sealed, folder, password);
}

/**
 * The owner as whoever answers a grantee in the place of the unit: a name, and a signature under what is recorded of it.
 * @throws UserError OWNER_*, WALLET_*
 */
export async function answeringOwner(
  folder: string,
  password: string,
): Promise<{ readonly actor: string; sign(content: CustodyContent): Promise<CustodyContent> }> {
  const { enrolment } = decodeEnrolment(readVehicle(folder).payload);
  const { key } = await openWallet(folder, password);
  return {
    actor: didEthr(enrolment.chainId, key.address),
    sign: async (content) => await signContent(key, content),
  };
}

/**
 * An order that makes chunks unreadable, for the unit and for this owner.
 * @param sealed everything that the unit sealed to the owner
 * @returns for the unit. @throws as `openRootsWith`; UserError OWNER_NOT_ENROLLED, WALLET_*
 */
export async function orderErasure(
  folder: string,
  sealed: readonly SealedRoots[],
  wish: ErasureWish,
  password: string,
): Promise<Uint8Array> {
  const { key } = await openWallet(folder, password);
  const opened = await openRootsWith(hpkeOpen, sealed, folder, password);
  const order = draftErasure(folder, opened, sealed, wish, hpkeSeal);
  return await signErasure(order, key);
}

/**
 * The same for a wallet elsewhere: what it is to sign. The draft is kept, and replaced by the next.
 * @returns the second parameter of eth_signTypedData_v4. @throws as `openRootsWith`; UserError OWNER_*
 */
export async function draftErasureOrder(
  folder: string,
  sealed: readonly SealedRoots[],
  wish: ErasureWish,
  password: string,
): Promise<string> {
  const opened = await openRootsWith(hpkeOpen, sealed, folder, password);
  return keepDraft(folder, draftErasure(folder, opened, sealed, wish, hpkeSeal));
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
