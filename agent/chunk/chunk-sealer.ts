/**
 * Seals a slice: every stream's leaf, the chunk tree over them, and the signed header.
 * Implements spec/chunk-header.md.
 */
import { type ChunkHeader, encodeChunkHeader } from '../../core/chunk-header.ts';
import { recordId } from '../../core/cose.ts';
import { OperationalError } from '../../core/errors.ts';
import type { Hash } from '../../core/hash.ts';
import { NONCE_BYTES } from '../../core/key-tree.ts';
import { RECORDS } from '../../core/stream.ts';
import { type BeaconBlock, MAX_SEQ } from '../../core/vehicle-log.ts';
import type {
  CustodyBatch,
  CustodyToCommit,
  FrameRows,
  LeafSealing,
  RandomBytes,
  RecordsLeaf,
  SealedLeaves,
  Signer,
  StoredStream,
} from '../ports.ts';
import { custodyRecords, stateRecords, streamsRecords } from './agent-records.ts';
import type { Slice } from './chunker.ts';
import type { StreamTable } from './stream-table.ts';

/** Everything that one commit must make durable together. */
export type SealedChunk = {
  readonly seq: number;
  /** Encoded chunk header. */
  readonly header: Uint8Array;
  readonly signature: Uint8Array;
  readonly id: Uint8Array;
  readonly body: Uint8Array;
  /** Streams that no chunk before has a leaf of, by ordinal; a journal may have made some of them durable. */
  readonly freshStreams: readonly StoredStream[];
  readonly frameCount: number;
  readonly cursor: number;
  readonly wallStartNs: bigint;
  readonly wallEndNs: bigint;
  readonly custody?: CustodyToCommit | undefined;
};

export type SealerSession = {
  readonly tag: Uint8Array;
  readonly epoch: number;
  readonly log: number;
  readonly sessionId: Uint8Array;
  readonly signer: Signer;
};

/** What seals: the table of the log's streams, and the port that mirrors it. */
export type SealerParts = {
  readonly streams: StreamTable;
  readonly sealing: LeafSealing;
  readonly random: RandomBytes;
  readonly sha256: Hash;
};

/** How far the log is. */
export type LogEnd = {
  /** The newest committed chunk. */
  readonly last: { readonly seq: number; readonly id: Uint8Array } | undefined;
  /** How many streams, by ordinal, have a leaf in a committed chunk. */
  readonly announced: number;
};

export class ChunkSealer {
  readonly #session: SealerSession;
  readonly #parts: SealerParts;
  readonly #beacon: () => BeaconBlock | undefined;
  #nextSeq: number;
  #previousId: Uint8Array | undefined;
  #announced: number;

  constructor(
    session: SealerSession,
    parts: SealerParts,
    beacon: () => BeaconBlock | undefined,
    end: LogEnd,
  ) {
    this.#session = session;
    this.#parts = parts;
    this.#beacon = beacon;
    this.#nextSeq = end.last === undefined ? 0 : end.last.seq + 1;
    this.#previousId = end.last?.id;
    this.#announced = end.announced;
  }

  /** Of the chunk being filled. */
  get nextSeq(): number {
    return this.#nextSeq;
  }

  /**
   * @param busNames what the bus column of the frames indexes
   * @param custody records that this chunk takes
   */
  seal(slice: Slice, busNames: readonly string[], custody?: CustodyBatch): SealedChunk {
    const seq = this.#nextSeq;
    if (seq > MAX_SEQ) {
      throw new OperationalError('LOG_FULL', 'the log has used all of its sequence numbers', {
        retryable: false,
      });
    }
    const { streams, sealing, random, sha256 } = this.#parts;
    const { frames } = slice;
    const rows: FrameRows = { frames, buses: busNames, from: 0, to: frames.count, shiftNs: 0 };
    streams.addStrangers(rows);
    const custodyLeaves = (custody?.leaves ?? []).map((leaf) => ({
      ordinal: streams.ordinalOf(leaf.stream),
      ...leaf,
    }));
    const freshStreams = streams.from(this.#announced);
    // The nonce is new at every attempt. If the process dies before the commit, the next attempt at
    // this seq seals other content under other keys: no AEAD key ever covers two contents.
    const nonce = random(NONCE_BYTES);
    const place = { tag: this.#session.tag, seq, nonce };
    const leaves = sealing.chunk(place, rows, [
      ...this.#records(slice, busNames, freshStreams),
      ...custodyLeaves.map((leaf) => ({ ordinal: leaf.ordinal, ...custodyRecords(leaf) })),
    ]);
    const header = encodeChunkHeader(this.#header(slice, seq, nonce, leaves));
    const { signer } = this.#session;
    const id = recordId('chunk-header', signer.key, header, sha256);
    const signature = signer.sign(id);
    this.#nextSeq = seq + 1;
    this.#previousId = id;
    this.#announced += freshStreams.length;
    return {
      seq,
      header,
      signature,
      id,
      body: leaves.body,
      freshStreams,
      frameCount: frames.count,
      cursor: slice.cursor,
      wallStartNs: slice.wallStartNs,
      wallEndNs: slice.wallEndNs,
      custody: custody && {
        ends: custodyLeaves.map(({ ordinal, end }) => ({ ordinal, ...end })),
        files: custody.files,
      },
    };
  }

  #records(
    slice: Slice,
    busNames: readonly string[],
    fresh: readonly StoredStream[],
  ): readonly RecordsLeaf[] {
    const { streams } = this.#parts;
    const state = { ordinal: streams.ordinalOf(RECORDS.state), ...stateRecords(slice, busNames) };
    if (fresh.length === 0) return [state];
    return [state, { ordinal: streams.ordinalOf(RECORDS.streams), ...streamsRecords(fresh) }];
  }

  #header(
    slice: Slice,
    seq: number,
    nonce: Uint8Array,
    { root, entryCount }: SealedLeaves,
  ): ChunkHeader {
    return {
      tag: this.#session.tag,
      epoch: this.#session.epoch,
      log: this.#session.log,
      seq,
      nonce,
      root,
      entryCount,
      previousId: this.#previousId,
      sessionId: this.#session.sessionId,
      monoStartNs: slice.monoStartNs,
      monoEndNs: slice.monoEndNs,
      wallStartNs: slice.wallStartNs,
      wallEndNs: slice.wallEndNs,
      clock: slice.clock,
      buses: slice.buses,
      beacon: this.#beacon(),
      gaps: slice.gaps,
      state: slice.state,
      recovered: undefined,
    };
  }
}
