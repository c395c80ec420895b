/**
 * Signs what was captured, a block at a time, and makes it durable before a chunk exists.
 * Implements spec/journal-block.md, "Block".
 */
import type { BusCounters, Gap } from '../../core/chunk-header.ts';
import { encodeSigned, recordId } from '../../core/cose.ts';
import type { Hash } from '../../core/hash.ts';
import { encodeJournalBlock } from '../../core/journal-block.ts';
import { NONCE_BYTES } from '../../core/key-tree.ts';
import type {
  AtCommitPoint,
  ClockReading,
  FrameRows,
  LeafPlace,
  RandomBytes,
  RecordsLeaf,
  SealedBlock,
  Signer,
} from '../ports.ts';
import type { JournalFile } from './journal-file.ts';

/** A block always fits into so much: it has as many frames as a capture block at most, each with the longest data. */
const MIN_ROOM = 2 << 20;
/** A header counts up to 4096 blocks of a chunk. */
const MAX_PLACES = 4000;

export type JournalSession = {
  readonly tag: Uint8Array;
  readonly sessionId: Uint8Array;
  readonly signer: Signer;
};

export type JournalParts = {
  readonly file: JournalFile;
  readonly session: JournalSession;
  readonly block: (
    place: LeafPlace,
    rows: FrameRows,
    records: readonly RecordsLeaf[],
  ) => SealedBlock;
  readonly random: RandomBytes;
  readonly sha256: Hash;
  readonly atCommitPoint: AtCommitPoint;
};

/** What one block says. */
export type BlockContent = {
  /** Of the chunk being filled. */
  readonly seq: number;
  /** `shiftNs` leads to the wall clock of `start`. */
  readonly rows: FrameRows;
  readonly records: readonly RecordsLeaf[];
  /** Where the block before ended, or the chunk began. */
  readonly start: ClockReading;
  readonly end: ClockReading;
  readonly buses: readonly BusCounters[];
  readonly gaps: readonly Gap[];
};

export class Journal {
  readonly #parts: JournalParts;
  #nextIndex = 0;
  #nextPlace = 0;
  #previousId: Uint8Array | undefined;

  constructor(parts: JournalParts) {
    this.#parts = parts;
  }

  /** The chunk being filled has to end: what comes next might not fit. */
  get isFull(): boolean {
    return this.#parts.file.room < MIN_ROOM || this.#nextPlace >= MAX_PLACES;
  }

  /**
   * Durable when it returns. Each block is synced before the next is signed, so every block counts all those
   * before it as durable: one of them that is missing after a crash was not torn by it.
   * @returns how many bytes the block is
   * @throws OperationalError STORAGE_*
   */
  append(content: BlockContent): number {
    const { file, session, block, random, sha256, atCommitPoint } = this.#parts;
    const { seq, rows, records, start, end, buses, gaps } = content;
    // Never used for a second block: whoever tries again after a failure is another session.
    const nonce = random(NONCE_BYTES);
    const { root, entryCount, body, bodyHash } = block(
      { tag: session.tag, seq, nonce },
      rows,
      records,
    );
    const payload = encodeJournalBlock({
      sessionId: session.sessionId,
      index: this.#nextIndex,
      previousId: this.#previousId,
      seq,
      place: this.#nextPlace,
      durable: this.#nextIndex,
      nonce,
      monoStartNs: start.monoNs,
      monoEndNs: end.monoNs,
      wallStartNs: start.wallNs,
      wallEndNs: end.wallNs,
      buses,
      gaps,
      entryCount,
      root,
      bodyHash,
    });
    const { signer } = session;
    const id = recordId('journal-block', signer.key, payload, sha256);
    const head = encodeSigned('journal-block', signer.key, { payload, signature: signer.sign(id) });
    file.append(head, body);
    this.#nextIndex += 1;
    this.#nextPlace += 1;
    this.#previousId = id;
    atCommitPoint('block-synced');
    return head.length + body.length;
  }

  /** The chunk of these blocks is committed: they are in it. */
  free(): void {
    this.#nextPlace = 0;
    this.#parts.file.free();
  }
}
