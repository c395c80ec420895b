/**
 * What a block's state says about an account and about one of its storage slots.
 * Implements spec/evm-proofs.md, "Account" and "Storage slot" (the proofs of EIP-1186).
 */
import { concatBytes, uint64Bytes } from '../bytes.ts';
import { VerificationError } from '../errors.ts';
import { keccak256 } from './keccak.ts';
import type { NodePool } from './node-pool.ts';
import { decodeProvenRlp } from './proven-rlp.ts';
import { isMinimalQuantity, padTo32, toQuantity } from './quantity.ts';
import type { RlpItem } from './rlp.ts';
import { proveKey, requireWidth } from './trie-proof.ts';

export type Account = {
  readonly nonce: bigint;
  readonly balance: bigint;
  readonly storageRoot: Uint8Array;
  readonly codeHash: Uint8Array;
};

/** @throws VerificationError PROOF_NODE_MISSING, PROOF_NODE_MALFORMED, PROOF_ACCOUNT_MALFORMED */
export function proveAccount(
  stateRoot: Uint8Array,
  address: Uint8Array,
  pool: NodePool,
): Account | undefined {
  requireWidth('account address', address, 20);
  const value = proveKey(stateRoot, keccak256(address), pool);
  if (value === undefined) return undefined;
  const item = decodeProvenRlp(value, 'PROOF_ACCOUNT_MALFORMED');
  const [nonce, balance, storageRoot, codeHash] = item instanceof Uint8Array ? [] : item;
  if (
    item.length !== 4 ||
    !isQuantity(nonce, 8) ||
    !isQuantity(balance, 32) ||
    !isHash(storageRoot) ||
    !isHash(codeHash)
  ) {
    throw new VerificationError(
      'PROOF_ACCOUNT_MALFORMED',
      'expected an account of nonce, balance, storage root and code hash',
    );
  }
  return { nonce: toQuantity(nonce), balance: toQuantity(balance), storageRoot, codeHash };
}

/**
 * Returns the 32-byte word in a slot. A slot that the trie provably lacks holds zero: the EVM deletes a
 * slot that is set to zero, so both are the same state.
 * @throws VerificationError PROOF_NODE_MISSING, PROOF_NODE_MALFORMED, PROOF_VALUE_MALFORMED
 */
export function proveStorage(
  storageRoot: Uint8Array,
  slot: Uint8Array,
  pool: NodePool,
): Uint8Array {
  requireWidth('storage slot', slot, 32);
  const value = proveKey(storageRoot, keccak256(slot), pool);
  if (value === undefined) return new Uint8Array(32);
  const word = decodeProvenRlp(value, 'PROOF_VALUE_MALFORMED');
  if (!isQuantity(word, 32) || word.length === 0) {
    throw new VerificationError(
      'PROOF_VALUE_MALFORMED',
      'expected a storage value of 1 to 32 bytes without leading zeros',
    );
  }
  return padTo32(word);
}

/**
 * Where Solidity puts the entry of `key` in a mapping: Keccak-256 of the key and the mapping's own slot, 32 bytes each.
 * Source: Solidity documentation, "Layout of State Variables in Storage", Mappings and Dynamic Arrays.
 */
export function mappingSlot(key: Uint8Array, slot: Uint8Array): Uint8Array {
  requireWidth('slot of a mapping', slot, 32);
  return keccak256(concatBytes(padTo32(key), slot));
}

/**
 * Where Solidity puts `at[publisher][windowSeq]` of `mapping(address => mapping(uint64 => bytes32)) at`,
 * the first state variable of AnchorLog: slot 0, hashed once per mapping.
 */
export function anchorSlot(publisher: Uint8Array, windowSeq: bigint): Uint8Array {
  requireWidth('publisher address', publisher, 20);
  return mappingSlot(uint64Bytes(windowSeq), mappingSlot(publisher, new Uint8Array(32)));
}

function isQuantity(item: RlpItem | undefined, maxBytes: number): item is Uint8Array {
  return item instanceof Uint8Array && item.length <= maxBytes && isMinimalQuantity(item);
}

function isHash(item: RlpItem | undefined): item is Uint8Array {
  return item instanceof Uint8Array && item.length === 32;
}
