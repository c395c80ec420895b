/**
 * Checks what an anchor service publishes against the chain, round by round, and says what does not hold.
 * Implements spec/monitor.md. It shares nothing with the service but `core/`.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { equalBytes, toHex } from '../core/bytes.ts';
import { FormatError, UserError, VerificationError } from '../core/errors.ts';
import type { IndexedWindow } from '../core/published.ts';
import { followEvents } from './anchored-events.ts';
import { checkWindow, type WatchedLog } from './check-window.ts';
import type { MonitorConfig } from './config.ts';
import type { Finding, Report } from './findings.ts';
import { readPromises, type WatchedPromise, watchPromise } from './promises.ts';
import { type ChainBlock, Rpc } from './rpc.ts';
import { openSeenStore, type SeenStore, type SeenWindow, type Word } from './seen-store.ts';
import type { Site } from './site.ts';
import { SiteIndex } from './site-index.ts';

export type RoundResult = {
  readonly finalizedBlock: bigint;
  readonly windows: number;
  /** Found in this round and never before. */
  readonly found: readonly Finding[];
};

export class Monitor {
  readonly #config: MonitorConfig;
  readonly #log: WatchedLog;
  readonly #rpc: Rpc;
  readonly #sites: readonly SiteIndex[];
  readonly #store: SeenStore;
  readonly #promises: readonly WatchedPromise[];
  #recheckAt = 0;

  /** @throws UserError MONITOR_PROMISES; OperationalError MONITOR_STATE */
  constructor(config: MonitorConfig) {
    this.#config = config;
    this.#log = config.log;
    this.#rpc = new Rpc(config.rpc);
    this.#promises = readPromiseFiles(config);
    this.#store = openSeenStore(config.stateFolder, nameOf(config.log), BigInt(config.firstBlock));
    this.#sites = config.sites.map((url) => new SiteIndex(url, this.#store));
  }

  close(): void {
    this.#store.close();
  }

  /** Also what earlier runs found. */
  countFindings(): number {
    return this.#store.countFindings();
  }

  /**
   * What sites say is read before the chain is: what they publish is final by then.
   * @throws OperationalError CHAIN_*, SITE_UNREACHABLE: nothing is said about the service
   */
  async round(nowMs: number): Promise<RoundResult> {
    const found: Finding[] = [];
    const report: Report = (finding) => {
      if (this.#store.keepFinding(finding, nowMs)) found.push(finding);
    };
    const chainId = await this.#rpc.chainId();
    if (chainId !== this.#log.chainId) {
      throw new UserError('MONITOR_CHAIN', `expected chain ${this.#log.chainId}, got ${chainId}`);
    }
    for (const index of this.#sites) await this.#readIndex(index, report);
    const finalized = await this.#rpc.finalized();
    await followEvents(this.#log, finalized, { rpc: this.#rpc, store: this.#store, report });
    await this.#requireAnchored(finalized, report);
    await this.#checkNew(finalized, report);
    await this.#checkAgain(report);
    for (const promise of this.#promises) {
      await watchPromise(promise, finalized, this.#promiseTools(report));
    }
    return { finalizedBlock: finalized.number, windows: this.#store.highestSeq() + 1, found };
  }

  async #readIndex(index: SiteIndex, report: Report): Promise<void> {
    try {
      await index.read(this.#log, (windows) => {
        for (const word of this.#store.list(index.url, windows)) {
          report(equivocation(word, index.url));
        }
      });
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      report({
        code: 'INDEX_INVALID',
        subject: index.url,
        detail: `the index of ${index.url} cannot be used: ${error.message}`,
      });
    }
  }

  /** A window is published once it is final; what claims a block that is final here has an event here. */
  async #requireAnchored(finalized: ChainBlock, report: Report): Promise<void> {
    this.#store.markAnchored();
    for (const index of this.#sites) {
      let seq = this.#store.nextUnanchored(index.url, -1);
      for (; seq !== undefined; seq = this.#store.nextUnanchored(index.url, seq)) {
        const window = index.window(seq);
        if (window === undefined) continue;
        const anchored = await index.site.part(window, 'anchored');
        const served = { seq, anchoredHash: window.recordHash, entries: new Uint8Array() };
        const block = anchored && checkWindow({ ...served, anchored }, this.#log, undefined).block;
        if (block !== undefined && block.number > finalized.number) continue;
        report({
          code: 'WINDOW_NOT_ANCHORED',
          subject: `window ${seq}`,
          detail: `window ${seq} is published by ${index.url}, and no final block up to ${finalized.number} anchors it`,
        });
      }
    }
  }

  async #checkNew(finalized: ChainBlock, report: Report): Promise<void> {
    let after = -1;
    for (;;) {
      const window = this.#store.nextUnchecked(after);
      if (window === undefined) return;
      after = window.seq;
      let complete: readonly Uint8Array[] | undefined;
      for (const index of this.#sites) {
        const listed = index.window(window.seq);
        if (listed === undefined) this.#reportHidden(window, index.site, finalized, report);
        else complete = (await this.#checkAt(index.site, listed, window, report)) ?? complete;
      }
      if (complete === undefined) continue;
      for (const { label, seq } of this.#store.takeEntries(window.seq, complete)) {
        report({
          code: 'FORK',
          subject: `label ${label}`,
          detail: `windows ${seq} and ${window.seq} both hold the place ${label}`,
        });
      }
    }
  }

  #reportHidden(window: SeenWindow, site: Site, finalized: ChainBlock, report: Report): void {
    const age = Number(finalized.timestamp) - window.blockSeconds;
    if (age <= this.#config.publishWithinS) return;
    report({
      code: 'HIDDEN_WINDOW',
      subject: `window ${window.seq} at ${site.url}`,
      detail: `window ${window.seq} was anchored in block ${window.blockNumber}, ${age} s before the newest final block, and ${site.url} does not publish it`,
    });
  }

  /** @returns the entries when all parts are there and the list is that of the record */
  async #checkAt(
    site: Site,
    listed: IndexedWindow,
    window: SeenWindow,
    report: Report,
  ): Promise<readonly Uint8Array[] | undefined> {
    const anchored = await site.part(listed, 'anchored');
    const entries = await site.part(listed, 'entries');
    if (anchored === undefined || entries === undefined) {
      report({
        code: 'LIST_MISSING',
        subject: `window ${window.seq} at ${site.url}`,
        detail: `${site.url} names window ${window.seq} and does not serve its ${entries === undefined ? 'list' : 'record'}`,
      });
      return undefined;
    }
    const served = { seq: window.seq, anchoredHash: window.hash, anchored, entries };
    const previous = window.seq === 0 ? undefined : this.#store.window(window.seq - 1)?.hash;
    const checked = checkWindow(served, this.#log, previous);
    if (checked.findings.length > 0) this.#keepEvidence(window.seq, anchored, entries);
    for (const finding of checked.findings) report(finding);
    if (checked.block !== undefined) await this.#requireOnChain(window.seq, checked.block, report);
    return checked.entries.length === 0 ? undefined : checked.entries;
  }

  async #requireOnChain(
    seq: number,
    block: { readonly number: bigint; readonly hash: Uint8Array },
    report: Report,
  ): Promise<void> {
    const { hash } = await this.#rpc.block(block.number);
    if (equalBytes(hash, block.hash)) return;
    const detail = `window ${seq}: its proof is under a block ${block.number} that is not on the chain`;
    report({ code: 'ANCHOR_INVALID', subject: `window ${seq}`, detail });
  }

  /** Files that never change are looked at again, some in each round. */
  async #checkAgain(report: Report): Promise<void> {
    const count = this.#store.highestSeq() + 1;
    for (let i = 0; i < Math.min(this.#config.recheckPerRound, count); i += 1) {
      const window = this.#store.window(this.#recheckAt % count);
      this.#recheckAt = (this.#recheckAt + 1) % count;
      for (const index of this.#sites) {
        const listed = window && index.window(window.seq);
        if (window !== undefined && listed !== undefined) {
          await this.#checkAt(index.site, listed, window, report);
        }
      }
    }
  }

  #promiseTools(report: Report) {
    const { serviceKey, publishWithinS, stateFolder } = this.#config;
    if (serviceKey === undefined) throw new Error('promises without a service key');
    return {
      ...{ log: this.#log, serviceKey, rpc: this.#rpc, store: this.#store, report, publishWithinS },
      fetchWindow: async (window: SeenWindow) => {
        for (const index of this.#sites) {
          const listed = index.window(window.seq);
          const anchored = listed && (await index.site.part(listed, 'anchored'));
          const bytes = listed && (await index.site.part(listed, 'entries'));
          if (anchored === undefined || bytes === undefined) continue;
          const served = { seq: window.seq, anchoredHash: window.hash, anchored, entries: bytes };
          const { entries } = checkWindow(served, this.#log, undefined);
          if (entries.length > 0) return { anchored, entries };
        }
        return undefined;
      },
      keepProof: (statementId: string, bundle: Uint8Array) => {
        keepFile(stateFolder, `broken-promise-${statementId}.wmk`, bundle);
      },
    };
  }

  /** What a site served is gone when it serves something else: it is kept as it came. */
  #keepEvidence(seq: number, anchored: Uint8Array, entries: Uint8Array): void {
    const name = `window-${seq}-${Date.now()}`;
    keepFile(join(this.#config.stateFolder, 'evidence'), `${name}.anchored`, anchored);
    keepFile(join(this.#config.stateFolder, 'evidence'), `${name}.entries`, entries);
  }
}

/** One number, two records: of one site at two times, or of two sites. */
function equivocation({ seq, site, hash, now }: Word, url: string): Finding {
  const what =
    site === url
      ? `${url} named ${toHex(hash)} before and names ${toHex(now)} now`
      : `${url} names ${toHex(now)}, ${site} names ${toHex(hash)}`;
  return { code: 'EQUIVOCATION', subject: `window ${seq}`, detail: `window ${seq}: ${what}` };
}

function nameOf({ chainId, contract, publisher }: WatchedLog): string {
  return `chain ${chainId}, contract 0x${toHex(contract)}, publisher 0x${toHex(publisher)}`;
}

function keepFile(folder: string, name: string, bytes: Uint8Array): void {
  mkdirSync(folder, { recursive: true });
  const part = join(folder, `${name}.part`);
  writeFileSync(part, bytes, { flush: true });
  renameSync(part, join(folder, name));
}

function readPromiseFiles({ promises, serviceKey, log }: MonitorConfig): readonly WatchedPromise[] {
  return promises.flatMap((path) => {
    if (serviceKey === undefined) {
      throw new UserError(
        'MONITOR_PROMISES',
        'expected service_key, under which promises are signed',
      );
    }
    try {
      return readPromises(readFileSync(path), serviceKey, log);
    } catch (cause) {
      const isFile = cause instanceof FormatError || cause instanceof VerificationError;
      const why = isFile ? cause.message : 'it cannot be read';
      throw new UserError('MONITOR_PROMISES', `${path} holds no promises of this service: ${why}`, {
        cause,
      });
    }
  });
}
