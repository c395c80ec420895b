/**
 * What the service answers, checked before it is kept: the service cannot make the agent let go of a
 * statement by a word that would not stand before a court.
 * Implements spec/uplink.md, "Verification".
 */
import { type Acceptance, decodeAcceptance } from '../../core/acceptance.ts';
import { type Beacon, decodeBeacon } from '../../core/beacon.ts';
import { equalBytes } from '../../core/bytes.ts';
import { unverifiedPayload, verifySigned } from '../../core/cose.ts';
import { VerificationError } from '../../core/errors.ts';
import { verifyEvmAnchor } from '../../core/evm/anchor-proof.ts';
import { type LinkedBlocks, verifyHeaderLink } from '../../core/evm/header-link.ts';
import { decodeHeaderLink } from '../../core/evm/header-link-record.ts';
import type { Hash } from '../../core/hash.ts';
import { decodeLastRecord } from '../../core/last-record.ts';
import { verifyInclusion } from '../../core/merkle.ts';
import {
  decodeAnchoredWindow,
  decodeInclusion,
  type Inclusion,
  verifyInclusionLevels,
} from '../../core/receipt.ts';
import { decodeSessionRecord, type LogPredecessor } from '../../core/session-record.ts';
import { keyId, type PublicKey, type VerifyDigest } from '../../core/signature.ts';
import { decodeStatement } from '../../core/statement.ts';
import type { BeaconBlock } from '../../core/vehicle-log.ts';
import {
  decodeWindowRecord,
  windowEntry,
  windowLabel,
  windowRecordHash,
} from '../../core/window.ts';
import type { AcceptedMessage, LastMessage, ReceiptMessage } from '../../core/wire.ts';
import type { Certificate } from '../../core/x509/certificate.ts';

/** The service that this vehicle was told to trust with anchoring. */
export type KnownService = {
  readonly key: PublicKey;
  readonly chainId: bigint;
  /** 20 bytes. */
  readonly contract: Uint8Array;
  readonly publishers: readonly Uint8Array[];
  /** That time stamps must lead to; none: no stamps are kept. */
  readonly stampRoots?: readonly Certificate[];
};

/** @throws FormatError; VerificationError SIGNATURE_INVALID, ACCEPTANCE_FOREIGN, MERKLE_* */
export function checkAcceptance(
  message: AcceptedMessage,
  service: KnownService,
  verify: VerifyDigest,
): Acceptance {
  const { payload } = verifySigned('acceptance', service.key, message.acceptance, verify);
  const acceptance = decodeAcceptance(payload);
  const ours =
    acceptance.chainId === service.chainId && equalBytes(acceptance.contract, service.contract);
  if (!ours) {
    throw new VerificationError('ACCEPTANCE_FOREIGN', 'the acceptance promises another chain');
  }
  verifyInclusion(
    acceptance.root,
    acceptance.treeSize,
    message.leafIndex,
    message.statementId,
    message.path,
  );
  return acceptance;
}

/** @throws FormatError; VerificationError SIGNATURE_INVALID, BEACON_FOREIGN_CHAIN */
export function checkBeacon(
  payload: Uint8Array,
  service: KnownService,
  verify: VerifyDigest,
): Beacon {
  const beacon = decodeBeacon(verifySigned('beacon', service.key, payload, verify).payload);
  if (beacon.block.chainId !== service.chainId) {
    throw new VerificationError('BEACON_FOREIGN_CHAIN', 'the beacon is of another chain');
  }
  return beacon;
}

export type CheckedReceipt = {
  readonly inclusion: Inclusion;
  readonly windowHash: Uint8Array;
  /** Starts at the block that anchors the window. */
  readonly linked: LinkedBlocks;
  /** That the statement names. */
  readonly beacon: BeaconBlock | undefined;
};

/**
 * Everything but finality, which the agent cannot see: the statement is in the window, the window's
 * record is in the state of the header, and the link starts at that header.
 * @throws FormatError; VerificationError RECEIPT_FOREIGN, MERKLE_*, ANCHOR_*, PROOF_*, HEADER_LINK_*
 */
export function checkReceipt(
  message: ReceiptMessage,
  statementBytes: Uint8Array,
  service: KnownService,
  sha256: Hash,
): CheckedReceipt {
  const inclusion = decodeInclusion(message.inclusion);
  const window = decodeAnchoredWindow(message.window);
  const record = decodeWindowRecord(window.record);
  const windowHash = windowRecordHash(window.record, sha256);
  const statement = decodeStatement(unverifiedPayload(statementBytes));
  const ours =
    record.chainId === service.chainId &&
    equalBytes(record.contract, service.contract) &&
    service.publishers.some((publisher) => equalBytes(publisher, record.publisher)) &&
    equalBytes(inclusion.windowRecordHash, windowHash);
  if (!ours) {
    throw new VerificationError('RECEIPT_FOREIGN', 'the receipt is of another chain or publisher');
  }
  const entry = windowEntry(windowLabel(statement, sha256), statementBytes, sha256);
  verifyInclusionLevels(entry, inclusion.levels, record, sha256);
  const [anchor] = window.anchors;
  if (anchor === undefined) {
    throw new VerificationError('RECEIPT_FOREIGN', 'the receipt has no anchor on the chain');
  }
  const { block } = verifyEvmAnchor(record, windowHash, anchor);
  const linked = verifyHeaderLink(decodeHeaderLink(message.link));
  if (!equalBytes(linked.newest.hash, block.hash) || linked.chainId !== service.chainId) {
    throw new VerificationError('RECEIPT_FOREIGN', 'the header link starts at another block');
  }
  return { inclusion, windowHash, linked, beacon: statement.beacon };
}

/** Whose statement may be shown to this vehicle as its own. */
export type OwnKey = {
  readonly tag: Uint8Array;
  readonly epoch: number;
  readonly deviceKey: PublicKey;
};

/**
 * The service's word for the question with this nonce, and the statement that it is about.
 * @returns the place of the statement, `none` when the service has none, `other` when it answers another question
 * @throws FormatError; VerificationError SIGNATURE_INVALID, LAST_MISMATCH, LAST_FOREIGN
 */
export function checkLastAnswer(
  { answer, last }: LastMessage,
  own: OwnKey & { readonly nonce: Uint8Array },
  service: KnownService,
  verify: VerifyDigest,
): LogPredecessor | 'none' | 'other' {
  const { payload } = verifySigned('last', service.key, answer, verify);
  const record = decodeLastRecord(payload);
  const ours =
    equalBytes(record.tag, own.tag) &&
    equalBytes(record.deviceKeyId, keyId(own.deviceKey)) &&
    record.epoch === own.epoch;
  // Of another unit of this vehicle, or kept from a question of before.
  if (!ours || !equalBytes(record.nonce, own.nonce)) return 'other';
  const shown = last && checkLast(last, own, verify);
  const isNamed =
    shown === undefined
      ? record.statementId === undefined
      : record.statementId !== undefined && equalBytes(record.statementId, shown.statementId);
  if (!isNamed) {
    throw new VerificationError(
      'LAST_MISMATCH',
      'the answer shows another statement than it names',
    );
  }
  return shown ?? 'none';
}

/**
 * A statement that this device once signed.
 * @throws FormatError; VerificationError SIGNATURE_INVALID, LAST_FOREIGN
 */
export function checkLast(
  { session, statement }: NonNullable<LastMessage['last']>,
  own: OwnKey,
  verify: VerifyDigest,
): LogPredecessor {
  const certified = verifySigned('session-record', own.deviceKey, session, verify);
  const record = decodeSessionRecord(certified.payload);
  const signed = verifySigned('statement', record.sessionKey, statement, verify);
  const { tag, epoch, log, seq, sessionId, deviceKeyId } = decodeStatement(signed.payload);
  const ours =
    equalBytes(record.tag, own.tag) &&
    equalBytes(tag, own.tag) &&
    equalBytes(record.deviceKeyId, keyId(own.deviceKey)) &&
    equalBytes(deviceKeyId, record.deviceKeyId) &&
    equalBytes(sessionId, certified.id) &&
    record.epoch === own.epoch &&
    epoch === own.epoch &&
    log === record.log;
  if (!ours) {
    throw new VerificationError('LAST_FOREIGN', 'the statement is not of this device and epoch');
  }
  return { log, statementSeq: seq, statementId: signed.id };
}
