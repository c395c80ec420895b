/**
 * The trust policy as it stands in its JSON file: what a writer of policies fills in.
 * Implements spec/trust-policy.md, "Format".
 */
import type { CheckCode } from './check.ts';

export type ChainClass = 'public' | 'consortium' | 'local';
/** `qualified`: on a trusted list of the state, as whoever wrote the policy has looked up. */
export type AuthorityClass = 'qualified' | 'public' | 'local';

export type TrustPolicyFile = {
  readonly 'witnessmark-trust': 0;
  /** Who wrote this policy, in words; the first thing in every report. */
  readonly suppliedBy: string;
  readonly note?: string;
  readonly deviceKeys: readonly {
    readonly algorithm: 'ES256K' | 'ES256';
    /** 33 bytes, SEC 1 compressed, in hexadecimal. */
    readonly key: string;
    readonly note?: string;
  }[];
  /** Who enrols device keys that are believed, by the chain of their registry and their address. */
  readonly owners?: readonly {
    readonly chainId: string;
    readonly address: string;
    readonly note?: string;
  }[];
  /** Keys of anchor services, for broken promises and acceptances. */
  readonly serviceKeys?: TrustPolicyFile['deviceKeys'];
  readonly chains: readonly {
    /** In decimal. */
    readonly chainId: string;
    readonly class: ChainClass;
    /** AnchorLog, 20 bytes. */
    readonly contract: string;
    /** Keccak-256 of its code. */
    readonly codeHash: string;
    /** Senders whose windows are believed to be the service's, 20 bytes each. */
    readonly publishers: readonly string[];
    /** Blocks that whoever wrote this policy has looked up. */
    readonly blocks: readonly { readonly number: string; readonly hash: string }[];
  }[];
  /** VehicleRegistry and GrantRegistry, by chain, address and the Keccak-256 of their code. */
  readonly registries?: readonly {
    readonly chainId: string;
    readonly contract: string;
    readonly codeHash: string;
  }[];
  /** Wallets that are contracts, and digests that whoever wrote this policy has seen each accept. */
  readonly wallets?: readonly {
    readonly chainId: string;
    readonly address: string;
    readonly accepts: readonly string[];
  }[];
  /** From whom time stamps are believed (RFC 3161). */
  readonly timestampAuthorities: readonly {
    readonly class: AuthorityClass;
    /** DER in hexadecimal: the authority's own certificate, or one above it. */
    readonly certificate: string;
    /** Object identifiers under which it must have stamped, in dotted decimals; any when empty. */
    readonly policies: readonly string[];
    readonly note?: string;
  }[];
  /** Checks that must PASS; without it, `DEFAULT_REQUIRED`. */
  readonly required?: readonly CheckCode[];
};

/** What a policy requires that does not say (spec/trust-policy.md, "Required checks"). */
export const DEFAULT_REQUIRED: readonly CheckCode[] = [
  'BUNDLE',
  'DEVICE',
  'SESSION',
  'STATEMENT',
  'HEADER_SIGNATURE',
  'HEADER_CHAIN',
  'COVERED',
  'LEAVES',
  'STREAMS',
  'WINDOW',
  'ANCHOR',
  'LINK',
  'BLOCK',
  'NOT_AFTER',
];
