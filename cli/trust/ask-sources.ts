/**
 * What a bundle rests on, asked of independent sources: each value as every source gives it, or none at all.
 * Implements spec/trust-policy.md, "Looking it up".
 */
import { fromHex, toHex } from '../../core/bytes.ts';
import { OperationalError, UserError } from '../../core/errors.ts';
import { verifyHeaderLink } from '../../core/evm/header-link.ts';
import { keccak256 } from '../../core/evm/keccak.ts';
import type { Evidence } from '../../verifier/evidence.ts';
import type { ChainClass, TrustPolicyFile } from '../../verifier/policy-file.ts';
import type { ChainSource } from './chain-source.ts';

export type LookedUp = Pick<TrustPolicyFile, 'chains' | 'registries'> & {
  /** One sentence for each value: which, when, from whom. */
  readonly readings: readonly string[];
};

/**
 * @param classOf what kind of chain it is; no endpoint can tell
 * @param at when, for the sentences
 * @throws OperationalError TRUST_DISAGREEMENT, TRUST_NOT_FINAL, TRUST_CODE and those of the sources
 */
export async function askSources(
  evidence: Evidence,
  sources: readonly ChainSource[],
  classOf: (chainId: bigint) => ChainClass,
  at: Date,
): Promise<LookedUp> {
  const readings: string[] = [];
  const chains: TrustPolicyFile['chains'][number][] = [];
  const registries: NonNullable<TrustPolicyFile['registries']>[number][] = [];
  for (const [chainId, { contracts, publishers, registryContracts }] of namedIn(evidence)) {
    const own = sources.filter((source) => source.chainId === chainId);
    if (own.length === 0) {
      throw new UserError(
        'TRUST_NO_SOURCE',
        `no --rpc is of chain ${chainId}, which this bundle names`,
      );
    }
    const say = (what: string): void => {
      readings.push(`${what}, as ${namesOf(own)} said at ${at.toISOString()}`);
    };
    const blocks: { readonly number: string; readonly hash: string }[] = [];
    for (const link of evidence.links.filter((one) => one.chainId === chainId)) {
      const { number } = verifyHeaderLink(link).newest;
      await requireFinal(own, number);
      const hash = await agreed(own, `block ${number}`, (source) => source.blockHash(number));
      blocks.push({ number: `${number}`, hash });
      say(`block ${number} of chain ${chainId} is ${hash}`);
    }
    const codeOf = async (contract: string): Promise<string> => {
      const address = fromHex(contract);
      const hash = await agreed(own, `the code at ${contract}`, (one) => one.codeHash(address));
      if (hash === NO_CODE) {
        throw new OperationalError(
          'TRUST_CODE',
          `chain ${chainId} has no contract at ${contract}`,
          {
            retryable: false,
          },
        );
      }
      say(`the contract ${contract} has code with the hash ${hash}`);
      return hash;
    };
    for (const contract of contracts) {
      const codeHash = await codeOf(contract);
      const named = { chainId: `${chainId}`, class: classOf(chainId), contract, codeHash };
      chains.push({ ...named, publishers: [...publishers], blocks });
    }
    for (const contract of registryContracts) {
      registries.push({ chainId: `${chainId}`, contract, codeHash: await codeOf(contract) });
    }
  }
  return { chains, registries, readings };
}

/** Keccak-256 of nothing. */
const NO_CODE = `0x${toHex(keccak256(new Uint8Array(0)))}`;

type Named = {
  readonly contracts: Set<string>;
  readonly publishers: Set<string>;
  readonly registryContracts: Set<string>;
};

/** By chain id: what the bundle wants to be believed of it. */
function namedIn({ windows, registry, links }: Evidence): ReadonlyMap<bigint, Named> {
  const out = new Map<bigint, Named>();
  const of = (chainId: bigint): Named => {
    const known = out.get(chainId);
    if (known !== undefined) return known;
    const none = { contracts: new Set<string>(), publishers: new Set<string>() };
    const named = { ...none, registryContracts: new Set<string>() };
    out.set(chainId, named);
    return named;
  };
  for (const { chainId } of links) of(chainId);
  for (const { record } of windows) {
    of(record.chainId).contracts.add(`0x${toHex(record.contract)}`);
    of(record.chainId).publishers.add(`0x${toHex(record.publisher)}`);
  }
  for (const { chainId, contract } of registry) {
    of(chainId).registryContracts.add(`0x${toHex(contract)}`);
  }
  return out;
}

/** Of a block that can still be replaced nobody can say what it is. */
async function requireFinal(sources: readonly ChainSource[], number: bigint): Promise<void> {
  for (const source of sources) {
    const finalized = await source.finalized();
    if (finalized >= number) continue;
    throw new OperationalError(
      'TRUST_NOT_FINAL',
      `block ${number} is not final yet: ${source.name} is at ${finalized}`,
      { retryable: true },
    );
  }
}

async function agreed(
  sources: readonly ChainSource[],
  what: string,
  ask: (source: ChainSource) => Promise<string>,
): Promise<string> {
  const answers = await Promise.all(sources.map(ask));
  const [first = ''] = answers;
  if (answers.every((answer) => answer === first)) return first;
  const each = sources.map(({ name }, i) => `${name}: ${answers[i]}`).join(', ');
  throw new OperationalError('TRUST_DISAGREEMENT', `the sources disagree about ${what}: ${each}`, {
    retryable: false,
  });
}

function namesOf(sources: readonly ChainSource[]): string {
  return sources.map(({ name }) => name).join(' and ');
}
