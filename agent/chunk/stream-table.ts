/**
 * The streams of a log by ordinal in order of first leaf, each with its root until that is durable. What seals has a
 * mirror of it, with the keys. Implements spec/keys.md, "Stream roots".
 */
import { CAN_ERR_FLAG } from '../../core/frame.ts';
import { type KeyNode, NODE_BYTES, rootNode } from '../../core/key-tree.ts';
import { parseStreamId, RECORDS, rawStreamId } from '../../core/stream.ts';
import type { FrameRows, LeafSealing, RandomBytes, StoredStream } from '../ports.ts';

/**
 * Every stream has a leaf in every chunk. Ids can be made up (29 bits of them), so beyond this many the
 * rest of a bus shares one stream: a flood of ids costs room, but it cannot end the recording.
 */
export const MAX_ID_STREAMS = 4096;

/** The rule that puts frames into streams; another rule is another text, so another hash in the session record. */
export const STREAM_RULE =
  `one raw stream for each bus and CAN id, at most ${MAX_ID_STREAMS}; beyond, "set/other" of the bus; ` +
  'one for the error frames of each bus';

export class StreamTable {
  readonly #sealing: LeafSealing;
  readonly #random: RandomBytes;
  readonly #streams: StoredStream[] = [];
  readonly #ordinals = new Map<string, number>();
  #journal: StoredStream | undefined;
  #idStreams = 0;

  /**
   * @param known the log's streams so far, by ordinal, each with its nodes from the next seq on
   * @param sealing fresh: it is told of every stream
   * @param journal nodes of `records/journal`, likewise, where the log has one
   */
  constructor(
    known: readonly StoredStream[],
    sealing: LeafSealing,
    random: RandomBytes,
    journal: readonly KeyNode[] | undefined = undefined,
  ) {
    this.#sealing = sealing;
    this.#random = random;
    for (const stream of known) {
      this.#add(stream);
      this.#streams[this.size - 1] = withoutKeys(stream);
    }
    for (const name of [RECORDS.order, RECORDS.state, RECORDS.streams]) this.ordinalOf(name);
    if (journal === undefined) return;
    sealing.setJournalKeys(journal);
    this.#journal = { name: RECORDS.journal, nodes: [] };
  }

  get size(): number {
    return this.#streams.length;
  }

  /** Streams from this ordinal on, in the order of their ordinals; with their roots where those are not durable. */
  from(ordinal: number): readonly StoredStream[] {
    return this.#streams.slice(ordinal);
  }

  /** Of the stream of this name, which is made with a fresh root when it is asked for the first time. */
  ordinalOf(name: string): number {
    return this.#ordinals.get(name) ?? this.#add(this.#newStream(name));
  }

  /**
   * Makes the streams that these frames need and the log does not have.
   * @returns what was made: durable before a journal block uses it, else with the chunk that announces it
   */
  addStrangers(rows: FrameRows): readonly StoredStream[] {
    const known = this.size;
    for (const { bus, canId } of this.#sealing.strangers(rows)) {
      const isOverLimit = this.#idStreams >= MAX_ID_STREAMS && (canId & CAN_ERR_FLAG) === 0;
      this.ordinalOf(isOverLimit ? `raw/${bus}/set/other` : rawStreamId(bus, canId));
    }
    return this.from(known);
  }

  /**
   * `records/journal`, made when it is asked for the first time; durable before the first block. It has no
   * leaves, so it has no ordinal and no chunk announces it.
   */
  journal(): StoredStream {
    if (this.#journal === undefined) {
      this.#journal = this.#newStream(RECORDS.journal);
      this.#sealing.setJournalKeys(this.#journal.nodes);
    }
    return this.#journal;
  }

  /** Once all roots are durable: from here on this process can seal, and what it has sealed it cannot open. */
  forgetRoots(): void {
    const journal = this.#journal;
    for (const { nodes } of [...this.#streams, ...(journal ? [journal] : [])]) {
      for (const { node } of nodes) node.fill(0);
    }
    this.#streams.forEach((stream, i) => {
      if (stream.nodes.length > 0) this.#streams[i] = withoutKeys(stream);
    });
    this.#journal = journal && withoutKeys(journal);
  }

  #newStream(name: string): StoredStream {
    return { name, nodes: [rootNode(this.#random(NODE_BYTES))] };
  }

  #add(stream: StoredStream): number {
    const parsed = parseStreamId(stream.name);
    const ordinal = this.#streams.push(stream) - 1;
    this.#ordinals.set(stream.name, ordinal);
    if (parsed.kind === 'raw' && parsed.canId !== undefined) this.#idStreams += 1;
    this.#sealing.addStream(stream);
    return ordinal;
  }
}

function withoutKeys({ name }: StoredStream): StoredStream {
  return { name, nodes: [] };
}
