/** A receipt checked with the formats of core/ alone, as whoever gets one would. */
import { decodeAcceptance } from '../../../core/acceptance.ts';
import { decodeBeacon } from '../../../core/beacon.ts';
import { equalBytes } from '../../../core/bytes.ts';
import { verifySigned } from '../../../core/cose.ts';
import { verifyEvmAnchor } from '../../../core/evm/anchor-proof.ts';
import { type LinkedBlocks, verifyHeaderLink } from '../../../core/evm/header-link.ts';
import { decodeHeaderLink } from '../../../core/evm/header-link-record.ts';
import { verifyInclusion } from '../../../core/merkle.ts';
import {
  decodeAnchoredWindow,
  decodeInclusion,
  verifyInclusionLevels,
} from '../../../core/receipt.ts';
import { type PublicKey, verifyDigest } from '../../../core/signature.ts';
import {
  decodeWindowRecord,
  type WindowRecord,
  windowEntry,
  windowLabel,
  windowRecordHash,
} from '../../../core/window.ts';
import type { AcceptedMessage, ReceiptMessage } from '../../../core/wire.ts';
import type { SignedStatement } from './vehicle.ts';

export type VerifiedReceipt = {
  readonly record: WindowRecord;
  readonly recordHash: Uint8Array;
  readonly codeHash: Uint8Array;
  readonly linked: LinkedBlocks;
};

/** Throws when anything does not hold. */
export function verifyReceipt(
  { statement, id, bytes }: SignedStatement,
  message: ReceiptMessage,
): VerifiedReceipt {
  const inclusion = decodeInclusion(message.inclusion);
  const window = decodeAnchoredWindow(message.window);
  const record = decodeWindowRecord(window.record);
  const recordHash = windowRecordHash(window.record);
  const named =
    equalBytes(inclusion.statementId, id) && equalBytes(inclusion.windowRecordHash, recordHash);
  if (!named) throw new Error('the receipt is for another statement or window');
  verifyInclusionLevels(windowEntry(windowLabel(statement), bytes), inclusion.levels, record);
  const [anchor, ...others] = window.anchors;
  if (anchor === undefined || others.length > 0) throw new Error('expected one anchor');
  const { block, codeHash } = verifyEvmAnchor(record, recordHash, anchor);
  const linked = verifyHeaderLink(decodeHeaderLink(message.link));
  if (!equalBytes(linked.newest.hash, block.hash)) throw new Error('the link starts elsewhere');
  return { record, recordHash, codeHash, linked };
}

/** Throws when anything does not hold. @returns the promise */
export function verifyAcceptance(message: AcceptedMessage, key: PublicKey) {
  const { payload } = verifySigned('acceptance', key, message.acceptance, verifyDigest);
  const acceptance = decodeAcceptance(payload);
  const { root, treeSize } = acceptance;
  verifyInclusion(root, treeSize, message.leafIndex, message.statementId, message.path);
  return acceptance;
}

export function verifyBeacon(signed: Uint8Array, key: PublicKey) {
  return decodeBeacon(verifySigned('beacon', key, signed, verifyDigest).payload);
}
