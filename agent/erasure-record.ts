/** What the unit says of an erasure in its owner's custody stream (spec/erasure.md, "On the unit"). */
import { toHex } from '../core/bytes.ts';
import { decodeChunkHeader } from '../core/chunk-header.ts';
import type { CustodyContent } from '../core/custody-record.ts';
import type { ErasureTerms } from '../core/erasure-order.ts';
import type { Machine } from './machine.ts';
import type { Spool } from './spool/spool.ts';

/** @param objectHash SHA-256 of the notice that stays of the order */
export function erasureRecord(
  terms: ErasureTerms,
  objectHash: Uint8Array,
  spool: Spool,
  { readClock, softwareHash }: Machine,
): CustodyContent {
  const newest = spool.newestChunk();
  return {
    wallNs: readClock().wallNs,
    clockSource: newest ? decodeChunkHeader(newest.header).clock.source : 'unsynchronised',
    actor: `0x${toHex(terms.owner)}`,
    role: 'owner',
    action: 'erased',
    grantHash: undefined,
    objectHash,
    spans: terms.spans,
    streamCount: 0,
    leafCount: 0,
    purpose: terms.reason,
    // The keys were files: flash may keep copies of them, and of what they opened.
    detail: `best_effort; held chunks: ${terms.held}; copies released before: ${terms.copies.length}`,
    tool: 'witnessmark erase',
    toolHash: softwareHash(),
    signature: undefined,
  };
}
