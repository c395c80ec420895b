/**
 * Writes every FINAL window into a folder that any web server can serve, and the index of it.
 * Implements spec/published-windows.md.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { equalBytes, toHex } from '../../core/bytes.ts';
import {
  decodeNewest,
  encodeNewest,
  encodePage,
  NEWEST_FILE,
  PAGE_WINDOWS,
  pageFile,
  pageOfFile,
  WINDOW_PARTS,
  windowFile,
  windowOfFile,
} from '../../core/published.ts';
import type { AtCommitPoint } from '../commit-points.ts';
import type { Clock, PublishedWindow, PublishStore, ServiceIdentity } from '../ports.ts';
import { entriesInParts } from '../window-list.ts';
import { writeDurably } from './durable-file.ts';

export type WindowPublisherOptions = {
  readonly folder: string;
  readonly store: PublishStore;
  readonly identity: ServiceIdentity;
  readonly clock: Clock;
  readonly atCommitPoint: AtCommitPoint;
};

export class WindowPublisher {
  readonly #options: WindowPublisherOptions;
  /** Windows that the index in the folder has; undefined: it must be written as a whole. */
  #indexed: number | undefined;
  #isKnown = false;
  /** Files that the store says are written, and that somebody asked for in vain. */
  readonly #lost = new Set<string>();

  constructor(options: WindowPublisherOptions) {
    this.#options = options;
  }

  /**
   * All files of a window are on the disk before the store says so, and the store says so before the index names
   * it: whoever follows the index finds what it names. A kill in between writes the same bytes again under the
   * same names, since they follow from the store alone.
   * @returns whether a window was written
   * @throws OperationalError PUBLISH_UNWRITABLE (retryable)
   */
  async step(): Promise<boolean> {
    const { store, clock, atCommitPoint } = this.#options;
    if (!this.#isKnown) await this.#lookAtFolder();
    for (const path of this.#lost) {
      await this.#writeAgain(path);
      this.#lost.delete(path);
    }
    let any = false;
    for (;;) {
      const seq = store.nextUnwritten();
      const window = seq === undefined ? undefined : store.finalWindow(seq);
      if (window === undefined) break;
      await this.#write(window);
      atCommitPoint('window-written');
      store.markWritten(window.seq, clock.nowMs());
      any = true;
    }
    await this.#index();
    return any;
  }

  async #write(window: PublishedWindow): Promise<void> {
    const { folder, store } = this.#options;
    const name = { seq: window.seq, recordHash: window.hash };
    const list = entriesInParts(store.entries, window);
    await writeDurably(folder, windowFile(name, 'entries'), list);
    await writeDurably(folder, windowFile(name, 'anchored'), window.anchored);
    await writeDurably(folder, windowFile(name, 'link'), window.link);
    await writeDurably(folder, windowFile(name, 'json'), description(window));
  }

  /** Pages only once they are full, so that they never change; the rest stands in the pointer. */
  async #index(): Promise<void> {
    const { folder, store, identity, atCommitPoint } = this.#options;
    const written = store.countWritten();
    if (this.#indexed === written) return;
    const full = Math.floor(written / PAGE_WINDOWS);
    for (let page = Math.floor((this.#indexed ?? 0) / PAGE_WINDOWS); page < full; page += 1) {
      await this.#writePage(page);
    }
    const recent = this.#windows(full, written % PAGE_WINDOWS);
    await writeDurably(
      folder,
      NEWEST_FILE,
      encodeNewest({ ...identity, windows: written, recent }),
    );
    this.#indexed = written;
    // The folder says now what the store says; had it not, the next start would write the index again.
    atCommitPoint('index-written');
  }

  /**
   * Once for each run. What the index of the folder has in full pages is believed: a look at each file of some years takes
   * minutes. What stands behind them, in the index or in the store alone, is looked at: a folder that was put back from a
   * copy, or is another one than before, gets everything anew.
   */
  async #lookAtFolder(): Promise<void> {
    const { folder, store } = this.#options;
    const written = store.countWritten();
    try {
      const index = decodeNewest(await readFile(join(folder, NEWEST_FILE), 'utf8')).windows;
      if (index > written) throw new Error('an index of another store');
      for (let page = Math.floor(index / PAGE_WINDOWS); page * PAGE_WINDOWS < written; page += 1) {
        const count = Math.min(PAGE_WINDOWS, written - page * PAGE_WINDOWS);
        for (const window of this.#windows(page, count)) {
          for (const part of WINDOW_PARTS) await stat(join(folder, windowFile(window, part)));
        }
      }
      this.#indexed = index;
    } catch {
      store.forgetWritten();
      this.#indexed = undefined;
    }
    this.#isKnown = true;
  }

  /**
   * Somebody asked for a file that is not there.
   * @returns whether it should be, which is new: the next step writes it again, the same bytes
   */
  noticeMissing(path: string): boolean {
    const { store } = this.#options;
    const written = store.countWritten();
    // Before, what is asked for may be about to be written.
    if (!this.#isKnown || this.#indexed !== written) return false;
    const window = windowOfFile(path);
    const [listed] = window === undefined ? [] : store.listWindows(window.seq, 1);
    const isLost =
      window === undefined
        ? (path === NEWEST_FILE && written > 0) ||
          (pageOfFile(path) ?? written) < Math.floor(written / PAGE_WINDOWS)
        : window.seq < written &&
          listed?.seq === window.seq &&
          equalBytes(listed.hash, window.recordHash);
    if (!isLost || this.#lost.has(path)) return false;
    this.#lost.add(path);
    return true;
  }

  async #writeAgain(path: string): Promise<void> {
    const { store } = this.#options;
    const page = pageOfFile(path);
    const seq = windowOfFile(path)?.seq;
    const window = seq === undefined ? undefined : store.finalWindow(seq);
    if (window !== undefined) await this.#write(window);
    else if (page === undefined) await this.#lookAtFolder();
    else await this.#writePage(page);
  }

  async #writePage(page: number): Promise<void> {
    const { folder } = this.#options;
    await writeDurably(folder, pageFile(page), encodePage(this.#windows(page, PAGE_WINDOWS)));
  }

  #windows(page: number, count: number) {
    if (count === 0) return [];
    return this.#options.store
      .listWindows(page * PAGE_WINDOWS, count)
      .map(({ seq, hash, treeSize }) => ({ seq, recordHash: hash, treeSize }));
  }
}

/** For people and scripts; what counts is in the other three files and on the chain. */
function description(window: PublishedWindow): string {
  const { seq, treeSize, record, hash, transactionHash, gasUsed } = window;
  return `${JSON.stringify({
    seq,
    treeSize,
    record: toHex(record),
    recordHash: toHex(hash),
    block: { number: window.blockNumber, hash: toHex(window.blockHash) },
    transaction: transactionHash === undefined ? null : { hash: toHex(transactionHash), gasUsed },
  })}\n`;
}
