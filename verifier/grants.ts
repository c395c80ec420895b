/**
 * What an owner allowed: each grant with its signature, and by a wallet that is a contract what the policy says of it.
 * Implements spec/verification.md, "GRANT".
 */
import { equalBytes, toHex } from '../core/bytes.ts';
import { custodyStreamOf } from '../core/custody-record.ts';
import { type Grant, grantHash, type SignedGrant, verifyGrant } from '../core/grant.ts';
import type { TrustPolicy } from './policy.ts';
import { attempt, type Problem } from './readings.ts';

export type GrantReading = {
  readonly grant: Grant;
  readonly hash: Uint8Array;
  readonly problem: Problem | undefined;
  /** The owner's wallet is a contract, and the policy does not say that it took this. */
  readonly isContractUnknown: boolean;
};

export function readGrants(
  grants: readonly SignedGrant[],
  policy: TrustPolicy,
): readonly GrantReading[] {
  return grants.map((signed) => {
    const { grant } = signed;
    const hash = grantHash(grant);
    const result = attempt(() => verifyGrant(signed));
    const problem = 'problem' in result ? result.problem : undefined;
    const isContract = 'value' in result && result.value === 'contract_wallet';
    const isContractUnknown =
      isContract && !walletAccepts(policy, grant.chainId, grant.owner, hash);
    return { grant, hash, problem, isContractUnknown };
  });
}

/** What was done under a grant, its grantee may see: the custody streams that need no grant of their own. */
export function custodyOfGrants(grants: readonly GrantReading[]): ReadonlySet<string> {
  return new Set(grants.map(({ hash }) => custodyStreamOf(hash)));
}

/** Whether whoever wrote the policy has asked the wallet about exactly this digest. */
export function walletAccepts(
  { wallets }: TrustPolicy,
  chainId: bigint,
  address: Uint8Array,
  digest: Uint8Array,
): boolean {
  return wallets.some(
    (wallet) =>
      wallet.chainId === chainId &&
      equalBytes(wallet.address, address) &&
      wallet.accepts.has(toHex(digest)),
  );
}
