/**
 * Registry facts: words of a contract's storage, proven under one linked block.
 * Implements spec/registry-facts.md. What a slot means is for the check that asks for it.
 */
import { compareBytes, equalBytes, toHex } from './bytes.ts';
import { encodeCbor } from './cbor.ts';
import { FormatError, VerificationError } from './errors.ts';
import { type BlockHeader, decodeBlockHeader } from './evm/block-header.ts';
import { NodePool } from './evm/node-pool.ts';
import { proveAccount, proveStorage } from './evm/state-proof.ts';
import { decodeRecord, FORMAT_VERSION } from './fields.ts';
import { RECORD } from './record-type.ts';
import { ADDRESS_BYTES } from './window.ts';

const MAX_SLOTS = 256;
const MAX_NODES = 4096;
const WORD_BYTES = 32;

export type RegistryFacts = {
  readonly chainId: bigint;
  readonly contract: Uint8Array;
  /** RLP of the block header whose state this is. */
  readonly header: Uint8Array;
  /** Ascending by slot, each once; zero where the contract holds nothing. */
  readonly words: readonly { readonly slot: Uint8Array; readonly value: Uint8Array }[];
  /** Trie nodes in the canonical order of a NodePool. */
  readonly nodes: readonly Uint8Array[];
};

export function encodeRegistryFacts(facts: RegistryFacts): Uint8Array {
  return encodeCbor([
    RECORD.registryFacts,
    FORMAT_VERSION,
    facts.chainId,
    facts.contract,
    facts.header,
    facts.words.map((word) => [word.slot, word.value]),
    facts.nodes,
  ]);
}

/** @throws FormatError CBOR_*, RECORD_*, FIELD_*, REGISTRY_SLOTS */
export function decodeRegistryFacts(bytes: Uint8Array): RegistryFacts {
  const facts = decodeRecord(bytes, RECORD.registryFacts, (fields) => ({
    chainId: fields.uint64('chain id'),
    contract: fields.bytes('contract', ADDRESS_BYTES),
    header: fields.bytesUpTo('block header', 4096),
    words: fields.list('words', MAX_SLOTS, (word) => ({
      slot: word.bytes('slot', WORD_BYTES),
      value: word.bytes('value', WORD_BYTES),
    })),
    nodes: fields.blobList('nodes', MAX_NODES, 1024),
  }));
  const slots = facts.words.map(({ slot }) => slot);
  const isAscending = slots.every(
    (slot, i) => i === 0 || compareBytes(slots[i - 1] ?? slot, slot) < 0,
  );
  if (slots.length === 0 || !isAscending) {
    throw new FormatError('REGISTRY_SLOTS', 'expected slots, ascending, each once');
  }
  return facts;
}

export type ProvenFacts = {
  readonly block: BlockHeader;
  /** Keccak-256 of the contract's code: a policy names the code that it knows. */
  readonly codeHash: Uint8Array;
};

/**
 * Proves each word in the state of the facts' own header.
 * @throws FormatError RLP_*, HEADER_*
 * @throws VerificationError PROOF_*, REGISTRY_ABSENT, REGISTRY_VALUE
 */
export function proveRegistryFacts(facts: RegistryFacts): ProvenFacts {
  const block = decodeBlockHeader(facts.header);
  const pool = new NodePool(facts.nodes);
  const account = proveAccount(block.stateRoot, facts.contract, pool);
  if (account === undefined) {
    throw new VerificationError('REGISTRY_ABSENT', 'expected the registry in the state, got none');
  }
  for (const { slot, value } of facts.words) {
    const proven = proveStorage(account.storageRoot, slot, pool);
    if (!equalBytes(proven, value)) {
      throw new VerificationError(
        'REGISTRY_VALUE',
        `expected ${toHex(value)} in slot ${toHex(slot)}, got ${toHex(proven)}`,
      );
    }
  }
  pool.requireAllUsed();
  return { block, codeHash: account.codeHash };
}

/**
 * As `proveRegistryFacts`, and that the header is one of the linked blocks of its chain.
 * @param known block numbers to hashes, as `verifyHeaderLink` gives them
 * @throws VerificationError REGISTRY_UNLINKED
 */
export function verifyRegistryFacts(
  facts: RegistryFacts,
  known: ReadonlyMap<bigint, Uint8Array>,
): ProvenFacts {
  const proven = proveRegistryFacts(facts);
  const linked = known.get(proven.block.number);
  if (linked === undefined || !equalBytes(linked, proven.block.hash)) {
    throw new VerificationError(
      'REGISTRY_UNLINKED',
      `expected block ${proven.block.number} to be linked to the bundle's newest block`,
    );
  }
  return proven;
}
