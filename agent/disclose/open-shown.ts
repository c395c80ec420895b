/** A chunk of the spool that is to be shown: opened, with the session whose journal it was recovered from. */
import { equalBytes } from '../../core/bytes.ts';
import { unverifiedPayload } from '../../core/cose.ts';
import { OperationalError } from '../../core/errors.ts';
import { decodeJournalBlock } from '../../core/journal-block.ts';
import { KeyNodesWalk } from '../../core/key-walks.ts';
import type { Archive, Primitives, StoredChunk, StoredStream } from '../ports.ts';
import type { DisclosableChunk, DisclosableStream } from './disclosable-chunk.ts';
import { openChunk } from './open-chunk.ts';
import type { OfSession } from './sealed-sections.ts';

export function keyedStream(
  { name, nodes }: StoredStream,
  { sha512 }: Primitives,
): DisclosableStream {
  return { name, keys: new KeyNodesWalk(nodes, sha512) };
}

/** Why nothing of a chunk can be shown here; its header still shows that there was one. */
export type NotShown =
  /** Retention has let go of its leaves, or its owner has had them erased. */
  | 'evicted'
  /** Only the owner has its keys. */
  | 'forgotten';

/**
 * @param streams of the log, by ordinal
 * @throws OperationalError SPOOL_DAMAGED, SPOOL_BODY_MISSING
 */
export function openShown(
  archive: Archive,
  stored: StoredChunk,
  streams: readonly DisclosableStream[],
  primitives: Primitives,
): { readonly chunk: DisclosableChunk; readonly dead: OfSession | undefined } | NotShown {
  let chunk: DisclosableChunk;
  try {
    chunk = openChunk(archive, stored, streams, primitives);
  } catch (error) {
    const code = error instanceof OperationalError ? error.code : undefined;
    if (code === 'SPOOL_BODY_EVICTED' || code === 'SPOOL_BODY_ERASED') return 'evicted';
    if (code === 'SPOOL_KEYS_FORGOTTEN') return 'forgotten';
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
