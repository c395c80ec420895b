/** FINAL windows and hops as everybody may read them (spec/service-http.md). */
import { toHex } from '../../core/bytes.ts';
import type { PublishedHop, PublishedWindow } from '../ports.ts';

export function publishedWindowJson(window: PublishedWindow): object {
  const { seq, record, hash, treeSize, anchored, link, transactionHash, gasUsed } = window;
  return {
    seq,
    treeSize,
    record: toHex(record),
    recordHash: toHex(hash),
    anchored: toHex(anchored),
    link: toHex(link),
    block: { number: window.blockNumber, hash: toHex(window.blockHash) },
    transaction: transactionHash === undefined ? null : { hash: toHex(transactionHash), gasUsed },
  };
}

export function publishedHopJson({ number, hash, link, pages }: PublishedHop): object {
  return { number, hash: toHex(hash), link: toHex(link), pages: pages.map(toHex) };
}
