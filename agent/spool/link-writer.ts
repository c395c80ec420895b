/**
 * What leads from the newest anchor to older blocks, and what was asked for.
 * Implements spec/spool.md, "Index"; spec/uplink.md, "Links".
 */
import type { AtCommitPoint, LinkShelf, NamedBlock } from '../ports.ts';
import type { IndexWriter } from './index-writer.ts';
import { countAsked, dropLinked, insertHops } from './link-rows.ts';

export class LinkWriter {
  readonly #index: IndexWriter;
  readonly #atCommitPoint: AtCommitPoint;

  constructor(index: IndexWriter, atCommitPoint: AtCommitPoint) {
    this.#index = index;
    this.#atCommitPoint = atCommitPoint;
  }

  /** A kill before it: the blocks are asked for once more than counted. */
  countAsked(blocks: readonly NamedBlock[]): void {
    this.#index.commit(() => countAsked(this.#index.sql, blocks));
  }

  /** Durable: the way to these blocks. A kill before it means asking again. */
  storeHops(hops: Parameters<LinkShelf['storeHops']>[0], linked: readonly NamedBlock[]): void {
    this.#index.commit(() => {
      insertHops(this.#index.sql, hops);
      dropLinked(this.#index.sql, linked);
    });
    this.#atCommitPoint('hops-committed');
  }
}
