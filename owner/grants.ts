/**
 * The owner's half of grants: signing them, saying that one stands, revoking them. Wires identity, enrol, grant and chain.
 * Implements spec/grant.md and spec/grant-notes.md.
 */
import { randomBytes } from 'node:crypto';
import { equalBytes } from '../core/bytes.ts';
import { decodeEnrolment } from '../core/enrolment.ts';
import { UserError } from '../core/errors.ts';
import {
  decodeGrant,
  encodeGrant,
  type Grant,
  grantHash,
  grantTypedData,
  verifyGrant,
} from '../core/grant.ts';
import { encodeNote, type GrantNote, type NoteKind, noteDigest } from '../core/grant-notes.ts';
import { type OwnerSignature, UNSIGNED } from '../core/owner-signature.ts';
import { readRevocationWord, revocationSlot } from '../core/registry-words.ts';
import { typedDataJson } from '../core/typed-data.ts';
import { openEndpointOf, openEthereumEndpoint } from './chain/ethereum-endpoint.ts';
import { wordProver } from './chain/prove-words.ts';
import { revokeGrantCall } from './chain/registry-calls.ts';
import { callSender } from './chain/send-call.ts';
import type { OwnerWallet } from './chain/wallet-file.ts';
import { readVehicle } from './enrol/vehicle-file.ts';
import {
  keepGrant,
  keepGrantDraft,
  keepRevocation,
  keptGrants,
  keptRevocation,
  readGrantDraft,
} from './grant/grant-files.ts';
import { type GrantTerms, makeGrant } from './grant/make-grant.ts';
import { didEthr } from './identity/did.ts';
import { openOwnerFolder } from './identity/owner-folder.ts';
import { openWallet } from './owner-wallet.ts';
import { signedGranted } from './signed-record.ts';

export type GrantFile = {
  readonly bytes: Uint8Array;
  readonly hash: Uint8Array;
  readonly grant: Grant;
};

/** @throws UserError OWNER_*, WALLET_*; FormatError of the terms */
export async function grantAccess(
  folder: string,
  terms: GrantTerms,
  password: string,
): Promise<GrantFile> {
  const grant = newGrant(folder, terms);
  const { key } = await openWallet(folder, password);
  return keepSigned(folder, grant, { kind: 'key', bytes: await key.signDigest(grantHash(grant)) });
}

/**
 * The owner's signed custody record of a grant, for the unit to seal.
 * @throws UserError OWNER_*, WALLET_*, GRANT_FOREIGN
 */
export async function grantedRecord(
  folder: string,
  grant: Uint8Array,
  password: string,
): Promise<Uint8Array> {
  const own = ownGrant(folder, grant);
  const { key } = await openWallet(folder, password);
  const actor = didEthr(own.chainId, key.address);
  return await signedGranted(own, { key, actor, nowMs: Date.now() });
}

/** For a wallet elsewhere: the second parameter of eth_signTypedData_v4. @throws as `grantAccess` */
export function draftGrant(folder: string, terms: GrantTerms): string {
  const grant = newGrant(folder, terms);
  keepGrantDraft(folder, encodeGrant({ grant, signature: UNSIGNED }));
  return typedDataJson(grantTypedData(grant));
}

/** Takes that wallet's signature. @throws UserError GRANT_NO_DRAFT; VerificationError OWNER_SIGNATURE_INVALID */
export function finishGrant(folder: string, signature: OwnerSignature): GrantFile {
  const { grant } = decodeGrant(readGrantDraft(folder));
  verifyGrant({ grant, signature });
  return keepSigned(folder, grant, signature);
}

function newGrant(folder: string, terms: GrantTerms): Grant {
  const { enrolment } = decodeEnrolment(readVehicle(folder).payload);
  return makeGrant(enrolment, terms, nowS(), randomBytes(32));
}

function keepSigned(folder: string, grant: Grant, signature: OwnerSignature): GrantFile {
  const bytes = encodeGrant({ grant, signature });
  // Read again as everybody will: a signature of another form would be found by the unit only.
  decodeGrant(bytes);
  const hash = grantHash(grant);
  keepGrant(folder, hash, bytes);
  return { bytes, hash, grant };
}

/** The owner's word that a grant stands now. @throws UserError OWNER_*, WALLET_*, GRANT_FOREIGN, GRANT_REVOKED */
export async function confirmGrant(
  folder: string,
  grant: Uint8Array,
  password: string,
): Promise<Uint8Array> {
  const own = ownGrant(folder, grant);
  if (keptRevocation(folder, grantHash(own)) !== undefined) {
    throw new UserError('GRANT_REVOKED', 'this grant was revoked: nothing confirms it any more');
  }
  return await signNote('freshness', own, await openWallet(folder, password));
}

/**
 * The owner's word that a grant is revoked, for the unit; the same one when it was revoked before.
 * @throws UserError OWNER_*, WALLET_*, GRANT_FOREIGN
 */
export async function revokeGrant(
  folder: string,
  grant: Uint8Array,
  password: string,
): Promise<Uint8Array> {
  const own = ownGrant(folder, grant);
  const hash = grantHash(own);
  const before = keptRevocation(folder, hash);
  if (before !== undefined) return before;
  const note = await signNote('revocation', own, await openWallet(folder, password));
  keepRevocation(folder, hash, note);
  return note;
}

/**
 * And where everybody can see it. May be repeated.
 * @throws UserError OWNER_*, WALLET_*, GRANT_FOREIGN, CHAIN_OTHER, REGISTRY_*; OperationalError CHAIN_*, CALL_FATE_UNKNOWN
 */
export async function revokeOnChain(
  folder: string,
  grant: Uint8Array,
  password: string,
  rpc: string,
): Promise<{ readonly blockNumber: bigint }> {
  const own = ownGrant(folder, grant);
  const { wallet } = await openWallet(folder, password);
  const endpoint = await openEndpointOf(own.chainId, rpc);
  try {
    const send = callSender(wallet, endpoint.provider);
    return await send(revokeGrantCall(own.contract, grantHash(own)));
  } finally {
    endpoint.close();
  }
}

/** For a wallet elsewhere: `to` and `data`. @throws UserError OWNER_*, GRANT_FOREIGN */
export function revocationCall(
  folder: string,
  grant: Uint8Array,
): ReturnType<typeof revokeGrantCall> {
  const own = ownGrant(folder, grant);
  return revokeGrantCall(own.contract, grantHash(own));
}

export type ListedGrant = {
  readonly grant: Grant;
  readonly hash: Uint8Array;
  /** `revoked`: the owner has signed a note; `revoked_on_chain`: everybody can see it. */
  readonly state: 'in_force' | 'expired' | 'revoked' | 'revoked_on_chain';
};

/** @throws UserError OWNER_FOLDER; OperationalError CHAIN_*, REGISTRY_ABSENT */
export async function listGrants(folder: string, rpc?: string): Promise<readonly ListedGrant[]> {
  openOwnerFolder(folder);
  const grants = keptGrants(folder).map((bytes) => decodeGrant(bytes).grant);
  const onChain = rpc === undefined ? new Set<Grant>() : await revokedOnChain(grants, rpc);
  return grants.map((grant) => {
    const hash = grantHash(grant);
    if (onChain.has(grant)) return { grant, hash, state: 'revoked_on_chain' };
    if (keptRevocation(folder, hash) !== undefined) return { grant, hash, state: 'revoked' };
    return { grant, hash, state: grant.expiresAtS <= nowS() ? 'expired' : 'in_force' };
  });
}

async function revokedOnChain(grants: readonly Grant[], rpc: string): Promise<ReadonlySet<Grant>> {
  const endpoint = await openEthereumEndpoint(rpc);
  try {
    const prove = wordProver(endpoint);
    const newest = BigInt(await endpoint.provider.getBlockNumber());
    const revoked = new Set<Grant>();
    for (const grant of grants) {
      if (grant.chainId !== endpoint.chainId) continue;
      const slot = revocationSlot(grant.owner, grantHash(grant));
      const { words } = await prove(grant.contract, [slot], newest);
      if (words.some(({ value }) => readRevocationWord(value) !== undefined)) revoked.add(grant);
    }
    return revoked;
  } finally {
    endpoint.close();
  }
}

function ownGrant(folder: string, bytes: Uint8Array): Grant {
  const { grant } = decodeGrant(bytes);
  if (equalBytes(grant.owner, openOwnerFolder(folder).address)) return grant;
  throw new UserError('GRANT_FOREIGN', `the grant is not of the owner in ${folder}`);
}

async function signNote(kind: NoteKind, grant: Grant, { key }: OwnerWallet): Promise<Uint8Array> {
  const { chainId, contract, owner } = grant;
  const note: GrantNote = { chainId, contract, owner, grantHash: grantHash(grant), atS: nowS() };
  const bytes = await key.signDigest(noteDigest(kind, note));
  return encodeNote(kind, { note, signature: { kind: 'key', bytes } });
}

function nowS(): number {
  return Math.floor(Date.now() / 1000);
}
