/**
 * Broken promise: a statement that a service accepted and did not anchor in time.
 * Implements spec/broken-promise.md.
 */

import { type Acceptance, decodeAcceptance, MAX_GROUP } from './acceptance.ts';
import { equalBytes } from './bytes.ts';
import { encodeCbor } from './cbor.ts';
import { verifySigned } from './cose.ts';
import { VerificationError } from './errors.ts';
import { verifyEvmAnchor } from './evm/anchor-proof.ts';
import { type BlockHeader, decodeBlockHeader } from './evm/block-header.ts';
import { NodePool } from './evm/node-pool.ts';
import { anchorSlot, proveAccount, proveStorage } from './evm/state-proof.ts';
import { decodeRecord, FORMAT_VERSION } from './fields.ts';
import { HASH_BYTES, verifyInclusion } from './merkle.ts';
import {
  decodeAnchoredWindow,
  decodeInclusion,
  MAX_ANCHORED_WINDOW_BYTES,
  verifyInclusionLevels,
} from './receipt.ts';
import { RECORD } from './record-type.ts';
import { readPublicKey } from './session-record.ts';
import { COSE_ALGORITHM, type PublicKey, type VerifyDigest } from './signature.ts';
import { decodeStatement } from './statement.ts';
import {
  decodeWindowRecord,
  type WindowRecord,
  windowEntry,
  windowLabel,
  windowRecordHash,
} from './window.ts';

const MAX_BLOCK_HEADER_BYTES = 4096;
const MAX_PROOF_NODES = 128;
const MAX_NODE_BYTES = 1024;

/** The window in which the statement turned up, and a block after the promise that did not yet hold it. */
export type LateAnchor = {
  readonly inclusion: Uint8Array;
  readonly window: Uint8Array;
  /** RLP of the header of a block in whose state the window's slot is zero. */
  readonly emptyHeader: Uint8Array;
  /** Trie nodes of the account proof and of the proof that the slot is zero. */
  readonly emptyNodes: readonly Uint8Array[];
};

export type BrokenPromise = {
  /** COSE_Sign1. */
  readonly statement: Uint8Array;
  /** The key that signed the statement: its identifier is part of the statement's id. */
  readonly sessionKey: PublicKey;
  /** COSE_Sign1. */
  readonly acceptance: Uint8Array;
  readonly leafIndex: number;
  readonly path: readonly Uint8Array[];
  /** Where the statement turned up too late; none when it never did, which only the chain can show. */
  readonly late: LateAnchor | undefined;
};

export function encodeBrokenPromise(promise: BrokenPromise): Uint8Array {
  const { sessionKey, late } = promise;
  return encodeCbor([
    RECORD.brokenPromise,
    FORMAT_VERSION,
    promise.statement,
    [COSE_ALGORITHM[sessionKey.algorithm], sessionKey.bytes],
    promise.acceptance,
    promise.leafIndex,
    promise.path,
    late === undefined ? [] : [late.inclusion, late.window, late.emptyHeader, late.emptyNodes],
  ]);
}

/** @throws FormatError CBOR_*, RECORD_*, FIELD_* */
export function decodeBrokenPromise(bytes: Uint8Array): BrokenPromise {
  return decodeRecord(bytes, RECORD.brokenPromise, (fields) => ({
    statement: fields.bytesUpTo('statement', 16 * 1024),
    sessionKey: fields.nested('session key', readPublicKey),
    acceptance: fields.bytesUpTo('acceptance', 1024),
    leafIndex: fields.uint('leaf index', MAX_GROUP - 1),
    path: fields.bytesList('path', 20, HASH_BYTES),
    late: fields.optional('late anchor', (part) => ({
      inclusion: part.bytesUpTo('inclusion', 16 * 1024),
      window: part.bytesUpTo('anchored window', MAX_ANCHORED_WINDOW_BYTES),
      emptyHeader: part.bytesUpTo('empty block header', MAX_BLOCK_HEADER_BYTES),
      emptyNodes: part.blobList('empty slot nodes', MAX_PROOF_NODES, MAX_NODE_BYTES),
    })),
  }));
}

export type ProvenPromise = {
  readonly statementId: Uint8Array;
  readonly acceptance: Acceptance;
  /**
   * Undefined: the promise is proven, that it was broken is not; whoever has the chain looks for the
   * label in the windows up to `anchorByMs`.
   */
  readonly late: ProvenLateness | undefined;
};

export type ProvenLateness = {
  /** After `anchorByMs`, and without the anchor. */
  readonly emptyBlock: BlockHeader;
  readonly anchorBlock: BlockHeader;
  /** Anybody can write windows of their own: it shows lateness only when it is one of the service's. */
  readonly publisher: Uint8Array;
};

/**
 * Whether the two blocks and the publisher are to be believed is for the caller.
 * @throws FormatError COSE_*, and those of the records
 * @throws VerificationError SIGNATURE_INVALID, MERKLE_*, PROMISE_MISMATCH, PROMISE_KEPT, PROMISE_UNPROVEN, and those of verifyEvmAnchor
 */
export function verifyBrokenPromise(
  promise: BrokenPromise,
  serviceKey: PublicKey,
  verify: VerifyDigest,
): ProvenPromise {
  const signed = verifySigned('statement', promise.sessionKey, promise.statement, verify);
  const { payload } = verifySigned('acceptance', serviceKey, promise.acceptance, verify);
  const acceptance = decodeAcceptance(payload);
  const { root, treeSize } = acceptance;
  verifyInclusion(root, treeSize, promise.leafIndex, signed.id, promise.path);
  const label = windowLabel(decodeStatement(signed.payload));
  const entry = windowEntry(label, promise.statement);
  const late =
    promise.late === undefined
      ? undefined
      : proveLate(promise.late, { statementId: signed.id, entry, acceptance });
  return { statementId: signed.id, acceptance, late };
}

function proveLate(
  late: LateAnchor,
  promised: {
    readonly statementId: Uint8Array;
    readonly entry: Uint8Array;
    readonly acceptance: Acceptance;
  },
): ProvenLateness {
  const { acceptance } = promised;
  const inclusion = decodeInclusion(late.inclusion);
  const window = decodeAnchoredWindow(late.window);
  const record = decodeWindowRecord(window.record);
  const recordHash = windowRecordHash(window.record);
  const [anchor] = window.anchors;
  if (
    anchor === undefined ||
    !equalBytes(inclusion.statementId, promised.statementId) ||
    !equalBytes(inclusion.windowRecordHash, recordHash) ||
    record.chainId !== acceptance.chainId ||
    !equalBytes(record.contract, acceptance.contract)
  ) {
    throw new VerificationError(
      'PROMISE_MISMATCH',
      'expected one anchor of this statement, on the promised chain and contract',
    );
  }
  verifyInclusionLevels(promised.entry, inclusion.levels, record);
  const { block } = verifyEvmAnchor(record, recordHash, anchor);
  if (block.timestamp * 1000n <= BigInt(acceptance.anchorByMs)) {
    throw new VerificationError('PROMISE_KEPT', 'the statement was anchored in time');
  }
  const emptyBlock = proveEmpty(late, record);
  if (emptyBlock.timestamp * 1000n <= BigInt(acceptance.anchorByMs)) {
    throw new VerificationError(
      'PROMISE_UNPROVEN',
      'expected an empty slot after the promised time',
    );
  }
  return { emptyBlock, anchorBlock: block, publisher: record.publisher };
}

/** A slot is written once and never cleared: zero in one block, it was zero in every block before. */
function proveEmpty(late: LateAnchor, record: WindowRecord): BlockHeader {
  const block = decodeBlockHeader(late.emptyHeader);
  const pool = new NodePool(late.emptyNodes);
  const account = proveAccount(block.stateRoot, record.contract, pool);
  if (account === undefined) {
    throw new VerificationError('ANCHOR_NO_CONTRACT', 'the block has no contract at that address');
  }
  const word = proveStorage(
    account.storageRoot,
    anchorSlot(record.publisher, record.windowSeq),
    pool,
  );
  pool.requireAllUsed();
  if (word.some((byte) => byte !== 0)) {
    throw new VerificationError('PROMISE_UNPROVEN', 'expected an empty slot, got one in use');
  }
  return block;
}
