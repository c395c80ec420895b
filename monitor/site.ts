/** One place that serves published windows: the service itself, a mirror, a CDN. What it says is what is checked. */
import { FormatError, OperationalError } from '../core/errors.ts';
import {
  decodeNewest,
  decodePage,
  ENTRY_BYTES,
  type IndexedWindow,
  MAX_INDEX_BYTES,
  NEWEST_FILE,
  type NewestIndex,
  pageFile,
  type WindowPart,
  windowFile,
} from '../core/published.ts';
import { MAX_ANCHORED_WINDOW_BYTES } from '../core/receipt.ts';
import { readCapped } from './capped.ts';

const TIMEOUT_MS = 60_000;
const MAX_LINK_BYTES = 16 << 20;

export class Site {
  /** Ends with a slash. */
  readonly url: string;

  constructor(url: string) {
    this.url = url.endsWith('/') ? url : `${url}/`;
  }

  /** @returns undefined when it has no index at all. @throws FormatError PUBLISHED_INDEX; OperationalError SITE_UNREACHABLE */
  async newest(): Promise<NewestIndex | undefined> {
    const text = await this.#text(NEWEST_FILE);
    return text === undefined ? undefined : decodeNewest(text);
  }

  /** A full page. @throws FormatError PUBLISHED_INDEX; OperationalError SITE_UNREACHABLE */
  async page(page: number): Promise<readonly IndexedWindow[]> {
    const content = await this.#text(pageFile(page));
    if (content === undefined) {
      throw new FormatError('PUBLISHED_INDEX', `expected index page ${page}, which is not there`);
    }
    return decodePage(content, page);
  }

  /** @returns undefined when the site does not have it, or has more than it may be. @throws OperationalError SITE_UNREACHABLE */
  async part(
    window: IndexedWindow,
    part: Exclude<WindowPart, 'json'>,
  ): Promise<Uint8Array | undefined> {
    const limit = {
      entries: ENTRY_BYTES * window.treeSize,
      anchored: MAX_ANCHORED_WINDOW_BYTES,
      link: MAX_LINK_BYTES,
    }[part];
    return await this.#bytes(windowFile(window, part), limit);
  }

  async #text(name: string): Promise<string | undefined> {
    const bytes = await this.#bytes(name, MAX_INDEX_BYTES);
    return bytes && new TextDecoder().decode(bytes);
  }

  async #bytes(name: string, maxBytes: number): Promise<Uint8Array | undefined> {
    let response: Response;
    try {
      response = await fetch(new URL(name, this.url), {
        signal: AbortSignal.timeout(TIMEOUT_MS),
        redirect: 'error',
      });
      if (!response.ok) {
        await response.body?.cancel();
        return undefined;
      }
      return await readCapped(response, maxBytes);
    } catch (cause) {
      // It answered, and with more than there can be: for this reader that is nothing.
      if (cause instanceof RangeError) return undefined;
      throw new OperationalError('SITE_UNREACHABLE', `${new URL(this.url).host} does not answer`, {
        retryable: true,
        cause,
      });
    }
  }
}
