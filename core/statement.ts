/**
 * Batch statement: the signed record of a tree over chunk headers, the thing that travels.
 * Implements spec/statement.md.
 */
import { encodeCbor } from './cbor.ts';
import { FormatError } from './errors.ts';
import { decodeRecord, FORMAT_VERSION } from './fields.ts';
import { HASH_BYTES } from './merkle.ts';
import { RECORD } from './record-type.ts';
import {
  type BeaconBlock,
  beaconFields,
  ID_BYTES,
  MAX_SEQ,
  readBeacon,
  TAG_BYTES,
} from './vehicle-log.ts';

export const MAX_SPANS = 64;
export const MAX_BATCH_CHUNKS = 1 << 16;

/** Chunks that follow each other in one log. */
export type Span = { readonly log: number; readonly firstSeq: number; readonly count: number };

export type Statement = {
  readonly tag: Uint8Array;
  readonly epoch: number;
  readonly log: number;
  /** Of the statement in its log, from 0. */
  readonly seq: number;
  readonly deviceKeyId: Uint8Array;
  readonly sessionId: Uint8Array;
  readonly previousId: Uint8Array | undefined;
  /**
   * The leaves of the tree, in order: one span of the own log as a rule. Headers keep their log and
   * seq, so a log that starts after a rolled-back disk can cover what its predecessor had left.
   */
  readonly spans: readonly Span[];
  /** RFC 9162 root over the headers' Sig_structures. */
  readonly root: Uint8Array;
  readonly beacon: BeaconBlock | undefined;
};

/** The payload that the session key signs. */
export function encodeStatement(statement: Statement): Uint8Array {
  return encodeCbor([
    RECORD.statement,
    FORMAT_VERSION,
    statement.tag,
    statement.epoch,
    statement.log,
    statement.seq,
    statement.deviceKeyId,
    statement.sessionId,
    statement.previousId ?? new Uint8Array(0),
    statement.spans.map((span) => [span.log, span.firstSeq, span.count]),
    statement.root,
    beaconFields(statement.beacon),
  ]);
}

/** @throws FormatError CBOR_*, RECORD_*, FIELD_*, STATEMENT_PREVIOUS, STATEMENT_SPANS */
export function decodeStatement(payload: Uint8Array): Statement {
  const statement = decodeRecord(
    payload,
    RECORD.statement,
    (fields) => ({
      tag: fields.bytes('tag', TAG_BYTES),
      epoch: fields.uint('epoch'),
      log: fields.uint('log'),
      seq: fields.uint('seq', MAX_SEQ),
      deviceKeyId: fields.bytes('device key id', ID_BYTES),
      sessionId: fields.bytes('session id', ID_BYTES),
      previousId: fields.bytesOrNone('previous statement id', ID_BYTES),
      spans: fields.list('spans', MAX_SPANS, (span) => ({
        log: span.uint('log'),
        firstSeq: span.uint('first chunk seq', MAX_SEQ),
        count: span.uint('count', MAX_BATCH_CHUNKS),
      })),
      root: fields.bytes('root', HASH_BYTES),
      beacon: fields.optional('beacon', readBeacon),
    }),
    8 * 1024,
  );
  if ((statement.seq === 0) !== (statement.previousId === undefined)) {
    throw new FormatError(
      'STATEMENT_PREVIOUS',
      'expected a previous statement exactly above seq 0',
    );
  }
  assertSpans(statement.spans, statement.log);
  return statement;
}

/** At least one span, none empty, ascending, none touching the one before, none of a later log. */
function assertSpans(spans: readonly Span[], ownLog: number): void {
  let previous: Span | undefined;
  for (const span of spans) {
    const end = span.firstSeq + span.count;
    const follows =
      previous === undefined ||
      span.log > previous.log ||
      (span.log === previous.log && span.firstSeq > previous.firstSeq + previous.count);
    if (span.count === 0 || end - 1 > MAX_SEQ || span.log > ownLog || !follows) {
      throw new FormatError(
        'STATEMENT_SPANS',
        'expected ascending spans of at least one chunk, in this log or before',
      );
    }
    previous = span;
  }
  if (previous === undefined || chunkCount(spans) > MAX_BATCH_CHUNKS) {
    throw new FormatError('STATEMENT_SPANS', `expected 1 to ${MAX_BATCH_CHUNKS} chunks`);
  }
}

export function chunkCount(spans: readonly Span[]): number {
  return spans.reduce((sum, span) => sum + span.count, 0);
}

/** The leaf index of a chunk header in the batch, or undefined when the statement does not cover it. */
export function leafIndexOf(spans: readonly Span[], log: number, seq: number): number | undefined {
  let before = 0;
  for (const span of spans) {
    if (span.log === log && seq >= span.firstSeq && seq < span.firstSeq + span.count) {
      return before + seq - span.firstSeq;
    }
    before += span.count;
  }
  return undefined;
}
