/**
 * Seals a slice: every stream's leaf, the chunk tree over them, and the signed header.
 * Implements spec/chunk-header.md, spec/leaf.md, spec/keys.md.
 */
import { compareBytes } from '../../core/bytes.ts';
import { encodeChunkBody, type SealedLeaf } from '../../core/chunk-body.ts';
import { type BusCounters, type ChunkHeader, encodeChunkHeader } from '../../core/chunk-header.ts';
import { recordId } from '../../core/cose.ts';
import { OperationalError } from '../../core/errors.ts';
import { leafSecrets, NONCE_BYTES } from '../../core/key-tree.ts';
import { hashOfLeaf, treeEntry } from '../../core/leaf.ts';
import { MerkleTree } from '../../core/merkle.ts';
import { packLeaf, sealPackedLeaf } from '../../core/sealed-leaf.ts';
import type { BeaconBlock } from '../../core/vehicle-log.ts';
import { MAX_SEQ } from '../../core/vehicle-log.ts';
import type { Primitives, Signer } from '../ports.ts';
import type { Slice } from './chunker.ts';
import { groupByStream } from './group.ts';
import { type LeafContent, rawContent, recordsContents } from './leaf-contents.ts';
import type { Stream, StreamRoot, StreamTable } from './stream-table.ts';

/** Everything that one commit must make durable together. */
export type SealedChunk = {
  readonly seq: number;
  /** Encoded chunk header. */
  readonly header: Uint8Array;
  readonly signature: Uint8Array;
  readonly id: Uint8Array;
  readonly body: Uint8Array;
  /** Streams whose first leaf is in this chunk. */
  readonly freshStreams: readonly StreamRoot[];
  readonly frameCount: number;
  readonly cursor: number;
  readonly wallStartNs: bigint;
  readonly wallEndNs: bigint;
};

export type SealerSession = {
  readonly tag: Uint8Array;
  readonly epoch: number;
  readonly log: number;
  readonly sessionId: Uint8Array;
  /** As the session record names them; every header has a count for each. */
  readonly buses: readonly string[];
  readonly signer: Signer;
};

export class ChunkSealer {
  readonly #session: SealerSession;
  readonly #streams: StreamTable;
  readonly #primitives: Primitives;
  readonly #beacon: () => BeaconBlock | undefined;
  #nextSeq: number;
  #previousId: Uint8Array | undefined;

  /** @param last the newest committed chunk of the log */
  constructor(
    session: SealerSession,
    streams: StreamTable,
    primitives: Primitives,
    beacon: () => BeaconBlock | undefined,
    last: { readonly seq: number; readonly id: Uint8Array } | undefined,
  ) {
    this.#session = session;
    this.#streams = streams;
    this.#primitives = primitives;
    this.#beacon = beacon;
    this.#nextSeq = last === undefined ? 0 : last.seq + 1;
    this.#previousId = last?.id;
  }

  /** @param busNames what the bus column of the frames indexes */
  seal(slice: Slice, busNames: readonly string[]): SealedChunk {
    const seq = this.#nextSeq;
    if (seq > MAX_SEQ) {
      throw new OperationalError('LOG_FULL', 'the log has used all of its sequence numbers', {
        retryable: false,
      });
    }
    // The nonce is new at every attempt. If the process dies before the commit, the next attempt at
    // this seq seals other content under other keys: no AEAD key ever covers two contents.
    const nonce = this.#primitives.random(NONCE_BYTES);
    const grouped = groupByStream(slice.frames, busNames, this.#streams);
    const freshStreams = this.#streams.takeFresh();
    const records = recordsContents(slice, grouped, {
      rawByName: this.#streams.rawByName,
      fresh: freshStreams,
      busNames,
      sessionBuses: this.#session.buses,
    });
    const entries: Uint8Array[] = [];
    const sealed: SealedLeaf[] = [];
    for (const stream of this.#streams.all) {
      const content = records.get(stream.name) ?? rawContent(slice, grouped, stream);
      this.#sealLeaf(stream, seq, nonce, content, entries, sealed);
    }
    entries.sort(compareBytes);
    const root = new MerkleTree(entries, this.#primitives.sha256).root();
    const header = encodeChunkHeader(
      this.#header(slice, { seq, nonce, entryCount: entries.length, root }),
    );
    const { signer } = this.#session;
    const id = recordId('chunk-header', signer.key, header);
    const signature = signer.sign(id);
    this.#nextSeq = seq + 1;
    this.#previousId = id;
    const body = encodeChunkBody(sealed);
    return {
      seq,
      header,
      signature,
      id,
      body,
      freshStreams,
      frameCount: slice.frames.count,
      cursor: slice.cursor,
      wallStartNs: slice.wallStartNs,
      wallEndNs: slice.wallEndNs,
    };
  }

  #sealLeaf(
    stream: Stream,
    seq: number,
    nonce: Uint8Array,
    content: LeafContent,
    entries: Uint8Array[],
    sealed: SealedLeaf[],
  ): void {
    const { sha256, sha512, aead, deflate } = this.#primitives;
    const secrets = leafSecrets(stream.keys.nodeOf(seq), nonce, sha512);
    const leaf = { stream: stream.name, seq, ...content };
    entries.push(treeEntry(secrets.handle, hashOfLeaf(leaf, secrets.salt, sha256)));
    if (content.count === 0) return;
    const place = { tag: this.#session.tag, seq };
    sealed.push({
      ordinal: stream.ordinal,
      sealed: sealPackedLeaf(packLeaf(leaf, deflate), place, secrets, aead),
    });
  }

  #header(
    slice: Slice,
    tree: Pick<ChunkHeader, 'seq' | 'nonce' | 'entryCount' | 'root'>,
  ): ChunkHeader {
    return {
      tag: this.#session.tag,
      epoch: this.#session.epoch,
      log: this.#session.log,
      ...tree,
      previousId: this.#previousId,
      sessionId: this.#session.sessionId,
      monoStartNs: slice.monoStartNs,
      monoEndNs: slice.monoEndNs,
      wallStartNs: slice.wallStartNs,
      wallEndNs: slice.wallEndNs,
      clock: { source: 'replay', steps: slice.clockSteps.length, quality: undefined },
      buses: this.#session.buses.map(noLoss),
      beacon: this.#beacon(),
      gaps: slice.gaps,
      state: slice.state,
      recovered: undefined,
    };
  }
}

/** A log file drops nothing; whether its maker did is not known, and the session record says so. */
function noLoss(bus: string): BusCounters {
  return { bus, kernelDrops: 0, controllerOverruns: 0, busOffs: 0 };
}
