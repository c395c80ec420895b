/** A FINAL window as everybody may read it (spec/service-http.md, "Window"). */
import { toHex } from '../../core/bytes.ts';
import type { PublishedWindow } from '../ports.ts';

export function publishedWindowJson(window: PublishedWindow): object {
  const { seq, record, hash, treeSize, anchored, link, transactionHash, gasUsed } = window;
  return {
    seq,
    treeSize,
    record: toHex(record),
    recordHash: toHex(hash),
    entries: window.entries.map(toHex),
    anchored: toHex(anchored),
    link: toHex(link),
    block: { number: window.blockNumber, hash: toHex(window.blockHash) },
    transaction: transactionHash === undefined ? null : { hash: toHex(transactionHash), gasUsed },
  };
}
