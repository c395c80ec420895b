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
import type { BlockHeader } from './evm/block-header.ts';
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
import { decodeWindowRecord, windowEntry, windowLabel, windowRecordHash } from './window.ts';

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
  readonly late: { readonly inclusion: Uint8Array; readonly window: Uint8Array } | undefined;
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
    late === undefined ? [] : [late.inclusion, late.window],
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
    })),
  }));
}

export type ProvenPromise = {
  readonly statementId: Uint8Array;
  readonly acceptance: Acceptance;
  /**
   * The block that holds the late anchor. Undefined: the promise is proven, that it was broken is not;
   * whoever has the chain looks for the label in the windows up to `anchorByMs`.
   */
  readonly lateBlock: BlockHeader | undefined;
};

/**
 * Whether the late block is to be believed is for the caller.
 * @throws FormatError COSE_*, and those of the records
 * @throws VerificationError SIGNATURE_INVALID, MERKLE_*, PROMISE_MISMATCH, PROMISE_KEPT, and those of verifyEvmAnchor
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
  const lateBlock =
    promise.late === undefined
      ? undefined
      : proveLate(promise.late, { statementId: signed.id, entry, acceptance });
  return { statementId: signed.id, acceptance, lateBlock };
}

function proveLate(
  late: { readonly inclusion: Uint8Array; readonly window: Uint8Array },
  promised: {
    readonly statementId: Uint8Array;
    readonly entry: Uint8Array;
    readonly acceptance: Acceptance;
  },
): BlockHeader {
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
  return block;
}
