/** When a window became final, by the chain: the time of the block under which it was proven. */
import { decodeBlockHeader } from '../core/evm/block-header.ts';
import { decodeAnchoredWindow } from '../core/receipt.ts';

/** @param anchored encoded anchored window @returns seconds since 1970; 0 without an anchor, which no FINAL window is */
export function anchoredTimeS(anchored: Uint8Array): number {
  const [anchor] = decodeAnchoredWindow(anchored).anchors;
  return anchor === undefined ? 0 : Number(decodeBlockHeader(anchor.header).timestamp);
}
