/** A chunk of the spool that is to be shown: opened, with the session whose journal it was recovered from. */
import { equalBytes } from '../../core/bytes.ts';
import { unverifiedPayload } from '../../core/cose.ts';
import { OperationalError } from '../../core/errors.ts';
import { decodeJournalBlock } from '../../core/journal-block.ts';
import { type KeyNode, KeyTreeWalk } from '../../core/key-tree.ts';
import type { Archive, Primitives, StoredChunk } from '../ports.ts';
import type { DisclosableChunk, DisclosableStream } from './disclosable-chunk.ts';
import { openChunk } from './open-chunk.ts';
import type { OfSession } from './sealed-sections.ts';

/** What the unit has of a stream's key tree. */
export function keptNodes(root: Uint8Array): readonly KeyNode[] {
  return [{ depth: 0, prefix: 0, node: root }];
}

export function keyedStream(
  name: string,
  root: Uint8Array,
  { sha512 }: Primitives,
): DisclosableStream {
  return { name, keys: new KeyTreeWalk({ depth: 0, prefix: 0, node: root }, sha512) };
}

/**
 * @param streams of the log, by ordinal
 * @returns undefined where retention has let go of the leaves: the header still shows that there was a chunk, and the
 * verifier says for which chunks a stream is not disclosed
 * @throws OperationalError SPOOL_DAMAGED, SPOOL_BODY_MISSING
 */
export function openShown(
  archive: Archive,
  stored: StoredChunk,
  streams: readonly DisclosableStream[],
  primitives: Primitives,
): { readonly chunk: DisclosableChunk; readonly dead: OfSession | undefined } | undefined {
  let chunk: DisclosableChunk;
  try {
    chunk = openChunk(archive, stored, streams, primitives);
  } catch (error) {
    if (error instanceof OperationalError && error.code === 'SPOOL_BODY_EVICTED') return undefined;
    throw error;
  }
  return { chunk, dead: deadSessionOf(archive, stored, chunk) };
}

function deadSessionOf(
  archive: Archive,
  { log }: StoredChunk,
  { blocks: [first] }: DisclosableChunk,
): OfSession | undefined {
  if (first === undefined) return undefined;
  const { sessionId } = decodeJournalBlock(unverifiedPayload(first.head));
  const session = archive.sessions(log).find(({ id }) => equalBytes(id, sessionId));
  if (session === undefined) {
    throw new OperationalError(
      'SPOOL_DAMAGED',
      `the session that wrote the blocks of a chunk of log ${log} is not in the spool`,
      { retryable: false },
    );
  }
  return { log, session: session.number };
}
