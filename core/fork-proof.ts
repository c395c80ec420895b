/**
 * Fork proof: two statements of one place in one log, both signed for.
 * Implements spec/fork-proof.md. Anybody can check it with the device key alone.
 */
import { compareBytes, equalBytes } from './bytes.ts';
import { encodeCbor } from './cbor.ts';
import { unverifiedPayload, verifySigned } from './cose.ts';
import { FormatError, VerificationError } from './errors.ts';
import { decodeRecord, type Fields, FORMAT_VERSION } from './fields.ts';
import { RECORD } from './record-type.ts';
import { decodeSessionRecord } from './session-record.ts';
import { keyId, type PublicKey, type VerifyDigest } from './signature.ts';
import { decodeStatement, type Statement } from './statement.ts';

/** Of a session record or a statement. */
export const MAX_SIGNED_BYTES = 32 * 1024;

/** A statement and the record of the session that signed it, both COSE_Sign1. */
export type ForkSide = { readonly statement: Uint8Array; readonly session: Uint8Array };

export type ForkProof = {
  /** Ascending by the bytes of the statement. */
  readonly sides: readonly [ForkSide, ForkSide];
};

export function encodeForkProof({ sides }: ForkProof): Uint8Array {
  return encodeCbor([
    RECORD.forkProof,
    FORMAT_VERSION,
    ...sides.map((side) => [side.statement, side.session]),
  ]);
}

/** @throws FormatError CBOR_*, RECORD_*, FIELD_*, FORK_ORDER */
export function decodeForkProof(bytes: Uint8Array): ForkProof {
  const proof: ForkProof = decodeRecord(bytes, RECORD.forkProof, (fields) => ({
    sides: [fields.nested('first', readSide), fields.nested('second', readSide)],
  }));
  const [first, second] = proof.sides;
  if (compareBytes(first.statement, second.statement) >= 0) {
    throw new FormatError('FORK_ORDER', 'expected two statements, ascending by their bytes');
  }
  return proof;
}

function readSide(fields: Fields): ForkSide {
  return {
    statement: fields.bytesUpTo('statement', MAX_SIGNED_BYTES),
    session: fields.bytesUpTo('session record', MAX_SIGNED_BYTES),
  };
}

export type Fork = {
  readonly tag: Uint8Array;
  readonly epoch: number;
  readonly log: number;
  /** Statements of the log from here on have two histories. */
  readonly statementSeq: number;
  /**
   * Completeness of the log ends before this chunk: the first that either statement covers of its
   * own log. Undefined when both cover older logs only: then it ends with the statement before.
   */
  readonly chunkSeq: number | undefined;
};

/**
 * @throws FormatError COSE_*, and those of the records
 * @throws VerificationError SIGNATURE_INVALID, SESSION_MISMATCH, FORK_DIFFERENT_PLACE, FORK_SAME_STATEMENT
 */
export function verifyForkProof(
  proof: ForkProof,
  deviceKey: PublicKey,
  verify: VerifyDigest,
): Fork {
  const [first, second] = [
    verifySide(proof.sides[0], deviceKey, verify),
    verifySide(proof.sides[1], deviceKey, verify),
  ];
  const { statement: a } = first;
  const { statement: b } = second;
  if (!equalBytes(a.tag, b.tag) || a.epoch !== b.epoch || a.log !== b.log || a.seq !== b.seq) {
    throw new VerificationError('FORK_DIFFERENT_PLACE', 'the statements have different places');
  }
  // Two signatures on one statement are no second history.
  if (equalBytes(first.id, second.id)) {
    throw new VerificationError('FORK_SAME_STATEMENT', 'both are the same statement');
  }
  const starts = [...a.spans, ...b.spans].flatMap((span) =>
    span.log === a.log ? [span.firstSeq] : [],
  );
  return {
    tag: a.tag,
    epoch: a.epoch,
    log: a.log,
    statementSeq: a.seq,
    chunkSeq: starts.length === 0 ? undefined : Math.min(...starts),
  };
}

function verifySide(
  side: ForkSide,
  deviceKey: PublicKey,
  verify: VerifyDigest,
): { readonly statement: Statement; readonly id: Uint8Array } {
  const signedSession = verifySigned('session-record', deviceKey, side.session, verify);
  const session = decodeSessionRecord(signedSession.payload);
  const statement = decodeStatement(unverifiedPayload(side.statement));
  if (
    !equalBytes(statement.sessionId, signedSession.id) ||
    !equalBytes(statement.deviceKeyId, keyId(deviceKey)) ||
    !equalBytes(session.deviceKeyId, keyId(deviceKey)) ||
    !equalBytes(statement.tag, session.tag) ||
    statement.epoch !== session.epoch ||
    statement.log !== session.log
  ) {
    throw new VerificationError('SESSION_MISMATCH', 'the session is not that of the statement');
  }
  const { id } = verifySigned('statement', session.sessionKey, side.statement, verify);
  return { statement, id };
}
