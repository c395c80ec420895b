/**
 * The owner's custody records as the unit's spool holds them.
 * Implements spec/custody.md, "For the owner".
 */
import { type CustodyRecord, decodeCustodyRecord } from '../../core/custody-record.ts';
import { OperationalError } from '../../core/errors.ts';
import { decodePackedLeaf } from '../../core/leaf.ts';
import { decodeRecordsPayload } from '../../core/records-payload.ts';
import { leafFromPacked } from '../../core/sealed-leaf.ts';
import { RECORDS } from '../../core/stream.ts';
import type { Archive, Primitives, StoredChunk } from '../ports.ts';
import { openChunk } from './open-chunk.ts';
import { keyedStream } from './open-shown.ts';

export type KeptCustodyRecord = {
  readonly record: CustodyRecord;
  /** Encoded, as it was sealed. */
  readonly bytes: Uint8Array;
  /** Of the chunk that it was sealed in. */
  readonly log: number;
  readonly chunkSeq: number;
};

export type KeptCustody = {
  /** In the order in which they were sealed. */
  readonly records: readonly KeptCustodyRecord[];
  /** Chunks with records that cannot be read here any more, and why. */
  readonly unread: readonly { readonly log: number; readonly seq: number; readonly code: string }[];
};

/** @throws OperationalError SPOOL_DAMAGED, STORAGE_* */
export function keptCustody(archive: Archive, primitives: Primitives): KeptCustody {
  const records: KeptCustodyRecord[] = [];
  const unread: { log: number; seq: number; code: string }[] = [];
  for (const chunk of archive.custodyChunks()) {
    const { log, seq } = chunk;
    try {
      for (const bytes of ownersRecords(archive, chunk, primitives)) {
        records.push({ record: decodeCustodyRecord(bytes), bytes, log, chunkSeq: seq });
      }
    } catch (error) {
      if (!(error instanceof OperationalError) || error.code === 'SPOOL_DAMAGED') throw error;
      unread.push({ log, seq, code: error.code });
    }
  }
  return { records, unread };
}

function ownersRecords(
  archive: Archive,
  chunk: StoredChunk,
  primitives: Primitives,
): readonly Uint8Array[] {
  const streams = archive.streams(chunk.log).map((stream) => keyedStream(stream, primitives));
  const { leaves } = openChunk(archive, chunk, streams, primitives);
  return leaves.flatMap(({ stream, packed }) => {
    if (stream !== RECORDS.custody || packed.length === 0) return [];
    const leaf = leafFromPacked(stream, chunk.seq, decodePackedLeaf(packed));
    return decodeRecordsPayload(leaf.payload, leaf.count);
  });
}
