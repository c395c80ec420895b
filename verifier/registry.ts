/**
 * What the registry contracts say, each record of facts followed to the block that the policy names.
 * Implements spec/verification.md, "REGISTRY".
 */
import { equalBytes, toHex } from '../core/bytes.ts';
import { VerificationError } from '../core/errors.ts';
import type { BlockHeader } from '../core/evm/block-header.ts';
import { proveRegistryFacts, type RegistryFacts } from '../core/registry-facts.ts';
import { type Anchoring, linkedAs, linkOf } from './anchoring.ts';
import type { TrustedRegistry, TrustPolicy } from './policy.ts';
import { attempt, type Problem } from './readings.ts';

export type RegistryReading = {
  readonly facts: RegistryFacts;
  /** In whose state they hold; none with a problem. */
  readonly block: BlockHeader | undefined;
  readonly problem: Problem | undefined;
  readonly isNamed: boolean;
  readonly standing: 'linked' | 'other' | 'not_linked';
  /** Whether the policy names the newest block of its chain's link. */
  readonly isChecked: boolean;
};

export function readRegistry(
  records: readonly RegistryFacts[],
  anchoring: Anchoring,
  policy: TrustPolicy,
): readonly RegistryReading[] {
  return records.map((facts) => {
    const named = policy.registries.find(
      ({ chainId, contract }) => chainId === facts.chainId && equalBytes(contract, facts.contract),
    );
    const result = attempt(() => proven(facts, named));
    const isNamed = named !== undefined;
    if ('problem' in result) {
      const nothing = { block: undefined, standing: 'not_linked', isChecked: false } as const;
      return { facts, isNamed, problem: result.problem, ...nothing };
    }
    const block = result.value;
    const link = linkOf(anchoring, facts.chainId);
    const isChecked = link?.newest === 'named';
    return {
      facts,
      isNamed,
      problem: undefined,
      block,
      standing: linkedAs(link, block),
      isChecked,
    };
  });
}

/** @throws FormatError and VerificationError of proveRegistryFacts; VerificationError REGISTRY_CODE_HASH */
function proven(facts: RegistryFacts, named: TrustedRegistry | undefined): BlockHeader {
  const { block, codeHash } = proveRegistryFacts(facts);
  if (named !== undefined && !equalBytes(codeHash, named.codeHash)) {
    throw new VerificationError(
      'REGISTRY_CODE_HASH',
      `expected registry code ${toHex(named.codeHash)}, got ${toHex(codeHash)}`,
    );
  }
  return block;
}

/** Whether what the record says may be used: it proves, and leads to a block and a contract that the policy names. */
export function isUsable({ problem, isNamed, standing, isChecked }: RegistryReading): boolean {
  return problem === undefined && isNamed && standing === 'linked' && isChecked;
}

/** Which records have a word, so that each fact is looked up once, however many records a bundle has. */
export class RegistryWords {
  readonly #bySlot = new Map<
    string,
    { readonly reading: RegistryReading; readonly value: Uint8Array }[]
  >();

  constructor(readings: readonly RegistryReading[]) {
    for (const reading of readings) {
      const { facts } = reading;
      for (const { slot, value } of facts.words) {
        const name = nameOf(facts, slot);
        const found = this.#bySlot.get(name) ?? [];
        found.push({ reading, value });
        this.#bySlot.set(name, found);
      }
    }
  }

  /** Of one contract: every record that has this word. */
  with(
    contract: Pick<RegistryFacts, 'chainId' | 'contract'>,
    slot: Uint8Array,
  ): readonly { readonly reading: RegistryReading; readonly value: Uint8Array }[] {
    return this.#bySlot.get(nameOf(contract, slot)) ?? [];
  }
}

function nameOf(
  { chainId, contract }: Pick<RegistryFacts, 'chainId' | 'contract'>,
  slot: Uint8Array,
): string {
  return `${chainId} ${toHex(contract)} ${toHex(slot)}`;
}

/** The word of a slot; none when the facts do not have it. */
export function wordOf({ words }: RegistryFacts, slot: Uint8Array): Uint8Array | undefined {
  return words.find((word) => equalBytes(word.slot, slot))?.value;
}
