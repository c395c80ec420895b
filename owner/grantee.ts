/**
 * The grantee's half: asking a unit for what a grant allows, and opening what comes. A grantee's folder is made as an
 * owner's: a wallet that signs, and an X25519 key that opens. Implements spec/grant-request.md and spec/package.md.
 */
import { randomBytes } from 'node:crypto';
import { encodeBundle } from '../core/bundle.ts';
import { equalBytes } from '../core/bytes.ts';
import { UserError } from '../core/errors.ts';
import { encodeHeaderLink } from '../core/evm/header-link-record.ts';
import { decodeGrant, type Grant, grantHash } from '../core/grant.ts';
import { encodeGrantRequest, type GrantRequest, requestDigest } from '../core/grant-request.ts';
import type { Hash } from '../core/hash.ts';
import { type OpenedPackage, type OpeningPrimitives, openPackage } from '../core/open-package.ts';
import { decodePackage, packageInfo } from '../core/package.ts';
import { encodeRegistryFacts } from '../core/registry-facts.ts';
import { epochSlot, revocationSlot } from '../core/registry-words.ts';
import { openEndpointOf } from './chain/ethereum-endpoint.ts';
import { historyLink } from './chain/history-link.ts';
import { wordProver } from './chain/prove-words.ts';
import { decryptWallet } from './chain/wallet-file.ts';
import { didEthr } from './identity/did.ts';
import { openOwnerFolder } from './identity/owner-folder.ts';
import { decryptRecoveryKey } from './identity/recovery-key.ts';
import { openWallet } from './owner-wallet.ts';
import { signedReceived } from './signed-record.ts';

/** What shows that the grant stands. */
export type StateOfGrant =
  | { readonly note: Uint8Array }
  | {
      readonly rpc: string;
      /** A block that the unit named as a beacon of late. */
      readonly beacon: bigint;
      /** An older block under which the proofs are made, which a link from the beacon shows; the beacon itself when absent. */
      readonly at?: bigint | undefined;
      readonly vehicleRegistry: Uint8Array;
      readonly vehicleNumber: Uint8Array;
    }
  | 'none';

export type RequestOrder = {
  readonly grant: Uint8Array;
  /** Of the data, Unix seconds; the whole range of the grant when absent. */
  readonly fromS?: number | undefined;
  readonly toS?: number | undefined;
  readonly state: StateOfGrant;
};

/**
 * @throws UserError OWNER_FOLDER, WALLET_*, GRANT_NOT_FOR_YOU, CHAIN_OTHER, HEADER_LINK_FAR; OperationalError CHAIN_*, REGISTRY_ABSENT;
 *   FormatError of the grant
 */
export async function requestAccess(
  folder: string,
  order: RequestOrder,
  password: string,
): Promise<Uint8Array> {
  const { address, wallet } = openOwnerFolder(folder);
  if (wallet === undefined) {
    const message = `the wallet of ${folder} is elsewhere: a request needs a key that signs here`;
    throw new UserError('WALLET_ELSEWHERE', message);
  }
  const { grant } = decodeGrant(order.grant);
  if (!equalBytes(grant.grantee, address)) {
    throw new UserError('GRANT_NOT_FOR_YOU', `the grant names another grantee than ${folder}`);
  }
  const request = await unsignedRequest(grant, order);
  const { key } = await decryptWallet(wallet, password);
  const bytes = await key.signDigest(requestDigest(request));
  return encodeGrantRequest({ request, signature: { kind: 'key', bytes } });
}

async function unsignedRequest(grant: Grant, order: RequestOrder): Promise<GrantRequest> {
  const { state } = order;
  return {
    grant: order.grant,
    fromS: order.fromS ?? grant.dataFromS,
    toS: order.toS ?? grant.dataToS,
    requestedAtS: Math.floor(Date.now() / 1000),
    nonce: randomBytes(32),
    ...(typeof state === 'object' && 'rpc' in state
      ? await provenState(grant, state)
      : { facts: [], link: undefined }),
    note: typeof state === 'object' && 'note' in state ? state.note : undefined,
  };
}

/** Who owns the epoch, that it has not ended, and that the grant is not revoked, at one block. */
async function provenState(
  grant: Grant,
  {
    rpc,
    beacon,
    at = beacon,
    vehicleRegistry,
    vehicleNumber,
  }: Extract<StateOfGrant, { rpc: string }>,
): Promise<Pick<GrantRequest, 'facts' | 'link'>> {
  const endpoint = await openEndpointOf(grant.chainId, rpc);
  try {
    const prove = wordProver(endpoint);
    const epochs = [grant.epoch, grant.epoch + 1].map((epoch) => epochSlot(vehicleNumber, epoch));
    const revocation = revocationSlot(grant.owner, grantHash(grant));
    const facts = [
      encodeRegistryFacts(await prove(vehicleRegistry, epochs, at)),
      encodeRegistryFacts(await prove(grant.contract, [revocation], at)),
    ];
    const link = at === beacon ? undefined : await historyLink(endpoint, beacon, at);
    return { facts, link: link && encodeHeaderLink(link) };
  } finally {
    endpoint.close();
  }
}

/**
 * The grantee's signed receipt of a package, as it was opened, for the unit to seal.
 * @throws UserError OWNER_FOLDER, WALLET_*
 */
export async function receiptFor(
  folder: string,
  file: Uint8Array,
  { grant: { grant }, leaves, streams }: Pick<OpenedFile, 'grant' | 'leaves' | 'streams'>,
  password: string,
  hash: Hash,
): Promise<Uint8Array> {
  const { key } = await openWallet(folder, password);
  const actor = didEthr(grant.chainId, key.address);
  const received = { hash: hash(file), streams, leaves };
  return await signedReceived(grant, received, { key, actor, nowMs: Date.now() });
}

export type OpenedFile = Omit<OpenedPackage, 'sections'> & {
  /** The evidence bundle `.wmk`. */
  readonly bundle: Uint8Array;
  /** Of which it opens a leaf. */
  readonly streams: number;
};

/** Opens what was sealed to a person (spec/sealing.md). */
export type OpenFrom = (secret: Uint8Array, info: Uint8Array, sealed: Uint8Array) => Uint8Array;

/**
 * The keys stay in memory: the bundle has leaves, salts and handles, and no node.
 * @throws UserError OWNER_FOLDER, RECOVERY_KEY, PACKAGE_NOT_FOR_YOU; FormatError and VerificationError of openPackage, HPKE_*
 */
export async function openFor(
  folder: string,
  file: Uint8Array,
  password: string,
  openFrom: OpenFrom,
  primitives: OpeningPrimitives,
): Promise<OpenedFile> {
  const { recoveryKey, recoveryPublicKey } = openOwnerFolder(folder);
  const { grantHash: hash, sealed } = decodePackage(file);
  const secret = await decryptRecoveryKey(recoveryKey, password);
  const contents = openFrom(secret, packageInfo(hash), sealed);
  secret.fill(0);
  const { sections, ...opened } = openPackage(contents, hash, primitives);
  if (!equalBytes(opened.grant.grant.granteeKey, recoveryPublicKey)) {
    throw new UserError('PACKAGE_NOT_FOR_YOU', 'the grant in it names another key than this one');
  }
  const bundle = encodeBundle(sections, primitives.sha256);
  contents.fill(0);
  return { ...opened, bundle, streams: sections.streams?.length ?? 0 };
}
