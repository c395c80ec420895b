/**
 * What can be derived of a log's streams: the roots that the owner gives, and of the others what the unit has not
 * forgotten. Implements spec/keys.md, "What the unit keeps" and "Sealed to the owner".
 */
import { JOURNAL_ORDINAL, type OpenedRoots } from '../../core/sealed-roots.ts';
import type { Archive, StoredStream } from '../ports.ts';

/**
 * By ordinal, each with its nodes: `nodesWithin` (core/key-tree.ts) gives those of a range. Where the owner gives all that
 * chunks have named, the unit's own rows are not read: a copy without the storage key is enough.
 * @throws UserError KEY_FILE_*; OperationalError STORAGE_KEY_WRONG
 */
export function readableStreams(
  archive: Pick<Archive, 'streams' | 'lastChunk'>,
  log: number,
  given: readonly OpenedRoots[] = [],
): readonly StoredStream[] {
  const byOwner: (StoredStream | undefined)[] = [];
  for (const roots of given) {
    if (roots.log !== log || roots.firstOrdinal === JOURNAL_ORDINAL) continue;
    roots.streams.forEach((stream, i) => {
      byOwner[roots.firstOrdinal + i] = stream;
    });
  }
  const named = archive.lastChunk(log)?.announced ?? 0;
  const known = Array.from(byOwner, (stream) => stream ?? []).flat();
  if (known.length === byOwner.length && known.length >= named && named > 0) return known;
  return archive.streams(log).map((stream, ordinal) => byOwner[ordinal] ?? stream);
}
