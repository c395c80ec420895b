/**
 * The streams of a log: their names, their ordinals in order of first leaf, and their key trees.
 * Implements spec/keys.md, "Stream roots".
 */
import { CAN_ERR_FLAG } from '../../core/frame.ts';
import type { Hash } from '../../core/hash.ts';
import { KeyTreeWalk, NODE_BYTES } from '../../core/key-tree.ts';
import { parseStreamId, RECORDS, rawStreamId, streamKey } from '../../core/stream.ts';
import type { RandomBytes } from '../ports.ts';

/** A stream and its secret; durable together with the first chunk that has a leaf of it. */
export type StreamRoot = { readonly name: string; readonly root: Uint8Array };

export type Stream = {
  readonly ordinal: number;
  readonly name: string;
  /** The CAN id that the name of a raw stream implies. */
  readonly impliedId: number | undefined;
  readonly isRaw: boolean;
  readonly keys: KeyTreeWalk;
};

/**
 * Every stream has a leaf in every chunk. Ids can be made up (29 bits of them), so beyond this many the
 * rest of a bus shares one stream: a flood of ids costs room, but it cannot end the recording.
 */
export const MAX_ID_STREAMS = 4096;

/** The rule that puts frames into streams; another rule is another text, so another hash in the session record. */
export const STREAM_RULE =
  `one raw stream for each bus and CAN id, at most ${MAX_ID_STREAMS}; beyond, "set/other" of the bus; ` +
  'one for the error frames of each bus';

const UNKNOWN = 0xffff;

export class StreamTable {
  readonly #sha512: Hash;
  readonly #random: RandomBytes;
  readonly #streams: Stream[] = [];
  readonly #byName = new Map<string, Stream>();
  /** For each bus: ordinals by standard id, and by any other key. */
  readonly #standard: Uint16Array[] = [];
  readonly #other: Map<number, number>[] = [];
  #fresh: StreamRoot[] = [];
  /** Made when it is asked for, since many streams come at once. */
  #rawByName: readonly Stream[] | undefined;
  #idStreams = 0;

  /** @param known the log's streams so far, by ordinal */
  constructor(known: readonly StreamRoot[], sha512: Hash, random: RandomBytes) {
    this.#sha512 = sha512;
    this.#random = random;
    for (const stream of known) this.#add(stream);
    for (const name of [RECORDS.order, RECORDS.state, RECORDS.streams]) this.named(name);
  }

  get all(): readonly Stream[] {
    return this.#streams;
  }

  /** Raw streams in the order of their names, which is the order that breaks ties of time. */
  get rawByName(): readonly Stream[] {
    this.#rawByName ??= this.#streams
      .filter((stream) => stream.isRaw)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    return this.#rawByName;
  }

  ordinalOf(busIndex: number, bus: string, canId: number): number {
    const standard = canId <= 0x7ff ? this.#standard[busIndex]?.[canId] : undefined;
    if (standard !== undefined && standard !== UNKNOWN) return standard;
    const key = streamKey(canId);
    const found = this.#other[busIndex]?.get(key);
    if (found !== undefined) return found;
    const name = rawStreamId(bus, canId);
    if (this.#idStreams >= MAX_ID_STREAMS && !this.#byName.has(name) && key !== CAN_ERR_FLAG) {
      return this.named(`raw/${bus}/set/other`).ordinal;
    }
    const { ordinal } = this.named(name);
    const standardIds = this.#standard[busIndex] ?? new Uint16Array(0x800).fill(UNKNOWN);
    const others = this.#other[busIndex] ?? new Map<number, number>();
    if (key <= 0x7ff) standardIds[key] = ordinal;
    others.set(key, ordinal);
    this.#standard[busIndex] = standardIds;
    this.#other[busIndex] = others;
    return ordinal;
  }

  /** The stream of this name, made with a fresh root when it is seen for the first time. */
  named(name: string): Stream {
    const found = this.#byName.get(name);
    if (found !== undefined) return found;
    const root = { name, root: this.#random(NODE_BYTES) };
    this.#fresh.push(root);
    return this.#add(root);
  }

  /** Streams made since the last call, in the order of their ordinals. */
  takeFresh(): readonly StreamRoot[] {
    const fresh = this.#fresh;
    this.#fresh = [];
    return fresh;
  }

  #add({ name, root }: StreamRoot): Stream {
    const parsed = parseStreamId(name);
    const stream = {
      ordinal: this.#streams.length,
      name,
      impliedId: parsed.kind === 'raw' ? parsed.canId : undefined,
      isRaw: parsed.kind === 'raw',
      keys: new KeyTreeWalk({ depth: 0, prefix: 0, node: root }, this.#sha512),
    };
    this.#streams.push(stream);
    this.#byName.set(name, stream);
    if (stream.impliedId !== undefined) this.#idStreams += 1;
    this.#rawByName = undefined;
    return stream;
  }
}
