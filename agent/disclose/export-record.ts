/**
 * What the custody record of an export says: it is read out of the bundle itself.
 * Implements spec/custody.md, "For the owner".
 */
import { decodeBundle } from '../../core/bundle.ts';
import { decodeHeaderItem, decodeOpenedChunk } from '../../core/bundle-items.ts';
import { decodeChunkHeader } from '../../core/chunk-header.ts';
import type { CustodyContent } from '../../core/custody-record.ts';
import type { Hash } from '../../core/hash.ts';
import type { Span } from '../../core/statement.ts';

/** Of a custody record. */
const MOST_SPANS = 64;

export type ExportedBy = {
  readonly wallNs: bigint;
  readonly actor: string;
  readonly purpose: string;
  readonly tool: string;
  readonly toolHash: Uint8Array;
};

export function exportRecord(bundle: Uint8Array, by: ExportedBy, sha256: Hash): CustodyContent {
  const { sections } = decodeBundle(bundle, sha256);
  const headers = sections.headers.map((item) => decodeChunkHeader(decodeHeaderItem(item).payload));
  const leaves = sections.leaves.map((item) => decodeOpenedChunk(item).leaves.length);
  const spans = spansOf(headers);
  return {
    ...by,
    // Who exports does not know how well the clock runs.
    clockSource: 'unsynchronised',
    role: 'agent',
    action: 'exported',
    grantHash: undefined,
    objectHash: sha256(bundle),
    spans: spans.slice(-MOST_SPANS),
    streamCount: sections.streams.length,
    leafCount: leaves.reduce((sum, count) => sum + count, 0),
    detail: spans.length > MOST_SPANS ? `and ${spans.length - MOST_SPANS} earlier spans` : '',
    signature: undefined,
  };
}

/** Chunks that follow each other are one. */
function spansOf(
  chunks: readonly { readonly log: number; readonly seq: number }[],
): readonly Span[] {
  const spans: { log: number; firstSeq: number; count: number }[] = [];
  for (const { log, seq } of chunks) {
    const last = spans.at(-1);
    if (last?.log === log && last.firstSeq + last.count === seq) last.count += 1;
    else spans.push({ log, firstSeq: seq, count: 1 });
  }
  return spans;
}
