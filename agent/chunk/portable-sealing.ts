/**
 * Seals in TypeScript with primitives from outside: what runs where the native add-on is not there, and what
 * says how every byte of it must be.
 * Implements spec/leaf.md, spec/keys.md, spec/chunk-body.md, spec/journal-block.md.
 */
import { compareBytes } from '../../core/bytes.ts';
import { encodeChunkBody, type SealedLeaf } from '../../core/chunk-body.ts';
import type { JournalLeaf } from '../../core/journal-body.ts';
import { type KeyNode, leafSecrets } from '../../core/key-tree.ts';
import { ForwardKeyWalk } from '../../core/key-walks.ts';
import {
  encodePackedLeaf,
  hashOfLeaf,
  type Leaf,
  MAX_LEAF_COUNT,
  treeEntry,
} from '../../core/leaf.ts';
import { MerkleTree } from '../../core/merkle.ts';
import { packLeaf, sealPackedLeaf } from '../../core/sealed-leaf.ts';
import { parseStreamId, RECORDS } from '../../core/stream.ts';
import type {
  FrameRows,
  LeafPlace,
  LeafSealing,
  Primitives,
  RecordsLeaf,
  SealedBlock,
  SealedLeaves,
  StoredStream,
} from '../ports.ts';
import { sealBlockBody } from './block-body.ts';
import { groupByStream } from './group.ts';
import { type LeafContent, orderContent, rawContent, SILENT, shifted } from './leaf-contents.ts';
import { StreamRoutes } from './stream-routes.ts';

type Stream = {
  readonly name: string;
  readonly ordinal: number;
  readonly isRaw: boolean;
  /** The CAN id that the name implies. */
  readonly impliedId: number | undefined;
  readonly keys: ForwardKeyWalk;
};

type Crypto = Pick<Primitives, 'sha256' | 'sha512' | 'aead' | 'deflate'>;

export class PortableSealing implements LeafSealing {
  readonly #crypto: Crypto;
  readonly #streams: Stream[] = [];
  readonly #routes = new StreamRoutes();
  #journal: ForwardKeyWalk | undefined;
  #order: Stream | undefined;
  /** Made when it is asked for, since many streams come at once. */
  #rawByName: readonly number[] | undefined;

  constructor(crypto: Crypto) {
    this.#crypto = crypto;
  }

  addStream({ name, nodes }: StoredStream): void {
    const parsed = parseStreamId(name);
    const stream = {
      name,
      ordinal: this.#streams.length,
      isRaw: parsed.kind === 'raw',
      impliedId: parsed.kind === 'raw' ? parsed.canId : undefined,
      keys: new ForwardKeyWalk(nodes, this.#crypto.sha512),
    };
    this.#streams.push(stream);
    if (stream.isRaw) this.#routes.add(name, stream.ordinal);
    if (name === RECORDS.order) this.#order = stream;
    this.#rawByName = undefined;
  }

  setJournalKeys(nodes: readonly KeyNode[]): void {
    this.#journal = new ForwardKeyWalk(nodes, this.#crypto.sha512);
  }

  strangers(rows: FrameRows): readonly { readonly bus: string; readonly canId: number }[] {
    return this.#routes.strangers(rows);
  }

  chunk(place: LeafPlace, rows: FrameRows, records: readonly RecordsLeaf[]): SealedLeaves {
    const { sha256, sha512, aead, deflate } = this.#crypto;
    const entries: Uint8Array[] = [];
    const sealed: SealedLeaf[] = [];
    this.#eachLeaf(rows, records, ({ ordinal, name, keys }, content) => {
      const secrets = leafSecrets(keys.nodeOf(place.seq), place.nonce, sha512);
      const leaf: Leaf = { stream: name, seq: place.seq, ...content };
      entries.push(treeEntry(secrets.handle, hashOfLeaf(leaf, secrets.salt, sha256)));
      if (content.count === 0) return;
      sealed.push({
        ordinal,
        sealed: sealPackedLeaf(packLeaf(leaf, deflate), place, secrets, aead),
      });
    });
    return { ...this.#tree(entries), body: encodeChunkBody(sealed) };
  }

  block(place: LeafPlace, rows: FrameRows, records: readonly RecordsLeaf[]): SealedBlock {
    const { sha256, sha512 } = this.#crypto;
    if (this.#journal === undefined) throw new RangeError('the journal has no root');
    const entries: Uint8Array[] = [];
    const leaves: JournalLeaf[] = [];
    this.#eachLeaf(rows, records, ({ ordinal, name, keys }, { count, payload }) => {
      if (count === 0) return;
      const { salt, handle } = leafSecrets(keys.nodeOf(place.seq), place.nonce, sha512);
      const hash = hashOfLeaf({ stream: name, seq: place.seq, count, payload }, salt, sha256);
      entries.push(treeEntry(handle, hash));
      // Never compressed: what a block's key encrypts must follow from the leaf alone.
      const packed = encodePackedLeaf({ count, inflatedLength: 0, body: payload });
      leaves.push({ ordinal, packed });
    });
    const body = sealBlockBody(leaves, place, this.#journal, this.#crypto);
    return { ...this.#tree(entries), body, bodyHash: sha256(body) };
  }

  close(): void {
    for (const { keys } of this.#streams) keys.close();
    this.#journal?.close();
    this.#streams.length = 0;
    this.#journal = undefined;
  }

  /** Every stream in the order of its ordinal; the payload is borrowed until the next one. */
  #eachLeaf(
    rows: FrameRows,
    records: readonly RecordsLeaf[],
    take: (stream: Stream, content: LeafContent) => void,
  ): void {
    if (rows.to - rows.from > MAX_LEAF_COUNT) {
      throw new RangeError(`expected at most ${MAX_LEAF_COUNT} frames`);
    }
    const frames = shifted(rows);
    const grouped = groupByStream(rows, this.#routes, this.#streams.length);
    const given = new Map(records.map((leaf) => [leaf.ordinal, leaf]));
    for (const stream of this.#streams) {
      const content = given.get(stream.ordinal);
      if (content !== undefined) take(stream, content);
      else if (stream === this.#order) {
        take(stream, orderContent(frames, grouped, this.#byName()));
      } else if (stream.isRaw) {
        take(stream, rawContent(frames, grouped.rowsOf(stream.ordinal), stream.impliedId));
      } else take(stream, SILENT);
    }
  }

  #byName(): readonly number[] {
    this.#rawByName ??= this.#streams
      .filter((stream) => stream.isRaw)
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ ordinal }) => ordinal);
    return this.#rawByName;
  }

  #tree(entries: Uint8Array[]): { readonly root: Uint8Array; readonly entryCount: number } {
    entries.sort(compareBytes);
    const root = new MerkleTree(entries, this.#crypto.sha256).root();
    return { root, entryCount: entries.length };
  }
}
