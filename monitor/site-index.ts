/**
 * Follows what one site lists, page by page: a page is handed on and forgotten, so that years of windows take no memory.
 * What was listed is in the store. Implements spec/monitor.md, "Index".
 */
import { FormatError } from '../core/errors.ts';
import { type IndexedWindow, isSameLog, PAGE_WINDOWS } from '../core/published.ts';
import type { WatchedLog } from './check-window.ts';
import type { SeenStore } from './seen-store.ts';
import { Site } from './site.ts';

export class SiteIndex {
  readonly site: Site;
  readonly #store: SeenStore;
  /** Full pages from the first on that this run has read: they never change, and one is read again in each round. */
  #pages = 0;
  #again = 0;
  #windows = 0;

  constructor(url: string, store: SeenStore) {
    this.site = new Site(url);
    this.#store = store;
  }

  get url(): string {
    return this.site.url;
  }

  /** Windows that it lists in this round: seqs below it. */
  get windows(): number {
    return this.#windows;
  }

  /**
   * @param take what stands on one page, all of it or, of what stands on none yet, the newest
   * @throws FormatError PUBLISHED_INDEX: then it lists nothing in this round; OperationalError SITE_UNREACHABLE
   */
  async read(log: WatchedLog, take: (windows: readonly IndexedWindow[]) => void): Promise<void> {
    this.#windows = 0;
    const newest = await this.site.newest();
    if (newest === undefined) return;
    if (!isSameLog(newest, log)) {
      const sentence = 'the index is of another chain, contract or publisher';
      throw new FormatError('PUBLISHED_INDEX', sentence);
    }
    const pages = Math.floor(newest.windows / PAGE_WINDOWS);
    if (pages < this.#pages) this.#pages = pages;
    if (this.#pages > 0) take(await this.site.page(this.#again % this.#pages));
    this.#again += 1;
    for (; this.#pages < pages; this.#pages += 1) take(await this.site.page(this.#pages));
    take(newest.recent);
    this.#windows = newest.windows;
  }

  /** As it is listed in this round. */
  window(seq: number): IndexedWindow | undefined {
    return seq < this.#windows ? this.#store.listed(this.url, seq) : undefined;
  }
}
