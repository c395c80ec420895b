/**
 * The custody of a grant, for its grantee: chunks that hold a record of the grant's own stream, wherever in the unit's logs
 * they lie. Implements spec/package.md, "Custody of the grant".
 */
import { equalBytes } from '../../core/bytes.ts';
import { decodeChunkBody } from '../../core/chunk-body.ts';
import { decodeChunkHeader } from '../../core/chunk-header.ts';
import { OperationalError } from '../../core/errors.ts';
import type { Archive, StoredChunk } from '../ports.ts';
import type { GrantedRange } from './granted-chunks.ts';

/** Each brings its statement and its receipt; older ones were in earlier packages. */
const MOST_CHUNKS = 1024;
/** Headers before a record's chunk that are looked at for a beacon: a quarter of an hour. */
const MOST_BEFORE = 1024;

/** A chunk with records, and where its headers begin: at the newest one up to it that names a beacon. */
export type CustodyStretch = {
  readonly log: number;
  readonly firstSeq: number;
  /** Of the chunk with the records. */
  readonly seq: number;
};

/**
 * @param stream name of the grant's custody stream
 * @param isDataAnchored whether all that is released has its receipts: then custody must not make the evidence wait for
 *   one, or for a beacon, and what has none is for the next package
 * @returns ascending. @throws UserError KEY_FILE_*; OperationalError STORAGE_*, SPOOL_*
 */
export function custodyStretches(
  archive: Archive,
  { tag, epoch }: Pick<GrantedRange, 'tag' | 'epoch'>,
  stream: string,
  isDataAnchored: boolean,
): readonly CustodyStretch[] {
  const ordinals = new Map<number, number>();
  const ordinalIn = (log: number): number => {
    const known =
      ordinals.get(log) ?? archive.streams(log).findIndex(({ name }) => name === stream);
    ordinals.set(log, known);
    return known;
  };
  const found: CustodyStretch[] = [];
  for (const chunk of archive.custodyChunks().toReversed()) {
    if (found.length === MOST_CHUNKS) break;
    const header = decodeChunkHeader(chunk.header);
    if (!equalBytes(header.tag, tag) || header.epoch !== epoch) continue;
    // Records wait while a crash is repaired: no recovered chunk has any.
    if (header.recovered !== undefined) continue;
    if (!hasLeaf(archive, chunk, ordinalIn(chunk.log))) continue;
    const firstSeq = beaconBefore(archive, chunk);
    if (isDataAnchored && (firstSeq === undefined || !isAnchored(archive, chunk))) continue;
    found.push({ log: chunk.log, firstSeq: firstSeq ?? chunk.seq, seq: chunk.seq });
  }
  return found.toReversed();
}

/** Whether the stream has something to say there: a silent leaf is not stored. */
function hasLeaf(archive: Archive, { log, seq }: StoredChunk, ordinal: number): boolean {
  if (ordinal < 0) return false;
  try {
    return decodeChunkBody(archive.body(log, seq)).some((leaf) => leaf.ordinal === ordinal);
  } catch (error) {
    const code = error instanceof OperationalError ? error.code : undefined;
    if (code === 'SPOOL_BODY_EVICTED' || code === 'SPOOL_BODY_ERASED') return false;
    throw error;
  }
}

function beaconBefore(archive: Archive, { log, seq }: StoredChunk): number | undefined {
  for (const first of [seq, Math.max(0, seq - MOST_BEFORE)]) {
    const named = archive
      .chunks(log, first, seq)
      .findLast(({ header }) => decodeChunkHeader(header).beacon !== undefined);
    if (named !== undefined) return named.seq;
  }
  return undefined;
}

function isAnchored(archive: Archive, { log, seq }: StoredChunk): boolean {
  return archive.statementsOver(log, seq, seq).some(({ inclusion }) => inclusion !== undefined);
}
