/** The edges of the owner's tool: what it needs of keys and of a chain. */
import type { RegistryFacts } from '../core/registry-facts.ts';

/** Signs as an Ethereum address. Where its secret is, only the adapter knows. */
export type OwnerKey = {
  /** 20 bytes. */
  readonly address: Uint8Array;
  /** @returns r ‖ s ‖ v, 65 bytes: s at most half the order, v 27 or 28 (spec/grant.md, "Owner's signature") */
  signDigest(digest: Uint8Array): Promise<Uint8Array>;
};

/** Opens what was sealed to an X25519 secret (spec/sealing.md). @throws FormatError HPKE_*; VerificationError HPKE_OPEN */
export type OpenSealed = (secret: Uint8Array, info: Uint8Array, sealed: Uint8Array) => Uint8Array;

/** Seals to an X25519 key (spec/sealing.md). @throws FormatError HPKE_KEY */
export type SealToPerson = (key: Uint8Array, info: Uint8Array, plain: Uint8Array) => Uint8Array;

/** What a wallet is asked to send: `to` 20 bytes, `data` the call. */
export type ContractCall = { readonly to: Uint8Array; readonly data: Uint8Array };

/**
 * Sends a call as the owner and waits for its block. A call of the registries may be repeated when its fate is
 * unknown: a repeat changes nothing (contracts/README.md).
 */
export type SendCall = (call: ContractCall) => Promise<{ readonly blockNumber: bigint }>;

/** Words of a contract's storage, with the proof of each. */
export type ProveWords = (
  contract: Uint8Array,
  slots: readonly Uint8Array[],
  blockNumber: bigint,
) => Promise<RegistryFacts>;
