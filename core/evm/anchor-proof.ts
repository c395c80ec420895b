/**
 * That a block's state holds a window record's hash in its publisher's slot.
 * Implements spec/receipt.md, "EVM anchor". Whether the block is to be believed is for the caller.
 */
import { equalBytes } from '../bytes.ts';
import { VerificationError } from '../errors.ts';
import type { EvmAnchor } from '../receipt.ts';
import type { WindowRecord } from '../window.ts';
import { type BlockHeader, decodeBlockHeader } from './block-header.ts';
import { NodePool } from './node-pool.ts';
import { anchorSlot, proveAccount, proveStorage } from './state-proof.ts';

export type AnchoredBlock = {
  readonly block: BlockHeader;
  /** Keccak-256 of the contract's code in that state. */
  readonly codeHash: Uint8Array;
};

/**
 * @param recordHash SHA-256 of the encoded `record`
 * @throws FormatError RLP_*, HEADER_*
 * @throws VerificationError PROOF_*, ANCHOR_NO_CONTRACT, ANCHOR_SLOT_MISMATCH
 */
export function verifyEvmAnchor(
  record: WindowRecord,
  recordHash: Uint8Array,
  anchor: EvmAnchor,
): AnchoredBlock {
  const block = decodeBlockHeader(anchor.header);
  const pool = new NodePool(anchor.nodes);
  const account = proveAccount(block.stateRoot, record.contract, pool);
  if (account === undefined) {
    throw new VerificationError('ANCHOR_NO_CONTRACT', 'the block has no contract at that address');
  }
  const slot = anchorSlot(record.publisher, record.windowSeq);
  const value = proveStorage(account.storageRoot, slot, pool);
  pool.requireAllUsed();
  if (!equalBytes(value, recordHash)) {
    throw new VerificationError(
      'ANCHOR_SLOT_MISMATCH',
      `the contract does not hold the record of window ${record.windowSeq}`,
    );
  }
  return { block, codeHash: account.codeHash };
}
