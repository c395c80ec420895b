/**
 * Journal block: about 100 ms of frames, signed before a chunk exists.
 * Implements spec/journal-block.md. After a crash the surviving blocks become one `recovered` chunk.
 */
import { encodeCbor } from './cbor.ts';
import {
  type BusCounters,
  busCounterFields,
  type Gap,
  gapFields,
  MAX_ENTRIES,
  MAX_GAPS,
  readBusCounters,
  readGap,
} from './chunk-header.ts';
import { FormatError } from './errors.ts';
import { decodeRecord, FORMAT_VERSION } from './fields.ts';
import { NONCE_BYTES } from './key-tree.ts';
import { HASH_BYTES } from './merkle.ts';
import { RECORD } from './record-type.ts';
import { MAX_BUSES } from './session-record.ts';
import { assertBusesOnce, ID_BYTES, MAX_SEQ } from './vehicle-log.ts';

const MAX_BLOCK_BYTES = 16 * 1024;

export type JournalBlock = {
  readonly sessionId: Uint8Array;
  /** Of the block in its session, from 0. */
  readonly index: number;
  readonly previousId: Uint8Array | undefined;
  /** Of the chunk being filled. */
  readonly seq: number;
  /** Of the block in its chunk, from 0: no block before it can be left out unseen. */
  readonly place: number;
  /**
   * How many blocks of this session were known to be synced when this one was signed: those with a lower index.
   * One of them that is found broken was altered, and not torn by the crash.
   */
  readonly durable: number;
  /** In place of the chunk's nonce when the block's leaves are keyed. */
  readonly nonce: Uint8Array;
  readonly monoStartNs: bigint;
  readonly monoEndNs: bigint;
  /** Base of the stamps in the block. */
  readonly wallStartNs: bigint;
  /** A gap after a crash starts here. */
  readonly wallEndNs: bigint;
  /** What was lost during this block: a crash must not lose the count. */
  readonly buses: readonly BusCounters[];
  readonly gaps: readonly Gap[];
  readonly entryCount: number;
  /** RFC 9162 root over the block's entries, as in a chunk tree. */
  readonly root: Uint8Array;
  /** SHA-256 of the encrypted frames that follow the head in the journal. */
  readonly bodyHash: Uint8Array;
};

/** The payload that the session key signs. */
export function encodeJournalBlock(block: JournalBlock): Uint8Array {
  return encodeCbor([
    RECORD.journalBlock,
    FORMAT_VERSION,
    block.sessionId,
    block.index,
    block.previousId ?? new Uint8Array(0),
    block.seq,
    block.place,
    block.durable,
    block.nonce,
    block.monoStartNs,
    block.monoEndNs,
    block.wallStartNs,
    block.wallEndNs,
    block.buses.map(busCounterFields),
    block.gaps.map(gapFields),
    block.entryCount,
    block.root,
    block.bodyHash,
  ]);
}

/** @throws FormatError CBOR_*, RECORD_*, FIELD_*, BUS_NAME, BUS_REPEATED, BLOCK_PREVIOUS, BLOCK_DURABLE, BLOCK_TIME */
export function decodeJournalBlock(payload: Uint8Array): JournalBlock {
  const block = decodeRecord(
    payload,
    RECORD.journalBlock,
    (fields) => ({
      sessionId: fields.bytes('session id', ID_BYTES),
      index: fields.uint('index'),
      previousId: fields.bytesOrNone('previous block id', ID_BYTES),
      seq: fields.uint('seq', MAX_SEQ),
      place: fields.uint('place in chunk'),
      durable: fields.uint('durable blocks'),
      nonce: fields.bytes('block nonce', NONCE_BYTES),
      monoStartNs: fields.int64('monotonic start'),
      monoEndNs: fields.int64('monotonic end'),
      wallStartNs: fields.int64('wall start'),
      wallEndNs: fields.int64('wall end'),
      buses: fields.list('buses', MAX_BUSES, readBusCounters),
      gaps: fields.list('gaps', MAX_GAPS, readGap),
      entryCount: fields.uint('entry count', MAX_ENTRIES),
      root: fields.bytes('root', HASH_BYTES),
      bodyHash: fields.bytes('body hash', HASH_BYTES),
    }),
    MAX_BLOCK_BYTES,
  );
  assertBusesOnce(block.buses);
  if ((block.index === 0) !== (block.previousId === undefined)) {
    throw new FormatError('BLOCK_PREVIOUS', 'expected a previous block exactly above index 0');
  }
  if (block.durable > block.index) {
    throw new FormatError(
      'BLOCK_DURABLE',
      `expected at most ${block.index} durable blocks, got ${block.durable}`,
    );
  }
  if (block.monoEndNs < block.monoStartNs) {
    throw new FormatError('BLOCK_TIME', 'expected the monotonic end not before the start');
  }
  return block;
}
