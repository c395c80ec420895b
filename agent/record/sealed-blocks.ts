/**
 * What a journal still has of chunks that are sealed: blocks that recovery passes over, since a journal is written over and
 * not wiped. Implements spec/erasure.md, "On the unit", step 3.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { unverifiedPayload } from '../../core/cose.ts';
import { FormatError } from '../../core/errors.ts';
import { decodeJournalBlock, type JournalBlock } from '../../core/journal-block.ts';
import { storageError } from '../storage-error.ts';
import { JOURNAL_PAGE, type JournalEntry, journalEntryAt, journalPath } from './journal-file.ts';

/**
 * Overwrites with zeros, durable when it returns, whatever stands behind the blocks that are still to be recovered. Those stand
 * from the first page on without a hole, so nothing of an older chunk is between them. A kill in between leaves a part, and
 * recovery never looks at it.
 * @param folder of the spool, which no agent writes
 * @param isOpen whether a block is of the chunk that is not sealed
 * @throws OperationalError STORAGE_*
 */
export function overwriteSealedBlocks(
  folder: string,
  isOpen: (block: JournalBlock) => boolean,
): void {
  const path = journalPath(folder);
  try {
    if (!existsSync(path)) return;
    const bytes = readFileSync(path);
    const zeros = Buffer.alloc(JOURNAL_PAGE);
    const descriptor = openSync(path, 'r+');
    try {
      for (let at = firstFreePage(bytes, isOpen) * JOURNAL_PAGE; at < bytes.length; ) {
        at += writeSync(descriptor, zeros, 0, Math.min(JOURNAL_PAGE, bytes.length - at), at);
      }
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    throw storageError(cause);
  }
}

function firstFreePage(bytes: Uint8Array, isOpen: (block: JournalBlock) => boolean): number {
  let free = 0;
  for (let page = 0; page * JOURNAL_PAGE < bytes.length; page++) {
    const entry = journalEntryAt(bytes, page);
    const block = entry && blockOf(entry);
    if (entry !== undefined && block !== undefined && isOpen(block)) free = entry.nextPage;
  }
  return free;
}

function blockOf({ head }: JournalEntry): JournalBlock | undefined {
  try {
    return decodeJournalBlock(unverifiedPayload(head));
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}
