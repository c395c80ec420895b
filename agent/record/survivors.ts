/**
 * Which blocks of a journal survived a crash, and whether what is missing was torn by it or altered after it.
 * Implements spec/journal-block.md, "Recovered chunk". The file is hostile input: whoever had the disk could write it.
 */
import { equalBytes } from '../../core/bytes.ts';
import { unverifiedPayload, verifySigned } from '../../core/cose.ts';
import { FormatError, VerificationError } from '../../core/errors.ts';
import type { Hash } from '../../core/hash.ts';
import { decodeJournalBlock, type JournalBlock } from '../../core/journal-block.ts';
import { isNextBlock } from '../../core/recovered.ts';
import { journalEnding } from '../../core/recovered-tree.ts';
import type { PublicKey, VerifyDigest } from '../../core/signature.ts';
import { JOURNAL_PAGE, type JournalEntry, journalEntryAt } from './journal-file.ts';

/** A block whose head is signed and whose body has the hash in the head. */
export type SoundBlock = JournalEntry & { readonly block: JournalBlock; readonly id: Uint8Array };

export type Survivors = {
  /** In order, from the first of the chunk; all of one session. */
  readonly blocks: readonly SoundBlock[];
  readonly ending: 'open' | 'damaged';
  /** What stands where the next block should stand; undefined when nothing does. */
  readonly fault: { readonly place: number; readonly code: string } | undefined;
};

export type DeadSessions = {
  /** By session id: undefined when this unit knows no such session of this log. */
  keyOf(sessionId: Uint8Array): PublicKey | undefined;
  /** Of the chunk that is not sealed. */
  readonly seq: number;
};

/**
 * Undefined when the journal has nothing of that chunk: it is empty, or its chunk was sealed.
 * @param bytes the whole file
 */
export function findSurvivors(
  bytes: Uint8Array,
  sessions: DeadSessions,
  verify: VerifyDigest,
  sha256: Hash,
): Survivors | undefined {
  const found = new Map<number, SoundBlock | string>();
  const heads: JournalBlock[] = [];
  for (let page = 0; page * JOURNAL_PAGE < bytes.length; page++) {
    const entry = journalEntryAt(bytes, page);
    if (entry === undefined) continue;
    const signed = signedBlock(entry, sessions, verify);
    if (typeof signed === 'string') found.set(page, signed);
    else {
      heads.push(signed.block);
      const isWhole = equalBytes(sha256(entry.body), signed.block.bodyHash);
      found.set(page, isWhole ? signed : 'BLOCK_BODY');
    }
  }
  const [any] = heads;
  if (any === undefined) return undefined;
  const blocks: SoundBlock[] = [];
  let page = 0;
  let code: string | undefined;
  for (;;) {
    const next = found.get(page);
    code = next === undefined ? codeOfNothing(bytes, page) : faultOf(next, blocks.at(-1));
    if (code !== undefined || next === undefined || typeof next === 'string') break;
    blocks.push(next);
    page = next.nextPage;
  }
  // Indexes run through the session, places through the chunk: one tells the other. Another session counts its own.
  const ofSession = heads.filter(({ sessionId }) => equalBytes(sessionId, any.sessionId));
  const missingIndex = any.index - any.place + blocks.length;
  return {
    blocks,
    ending: journalEnding(missingIndex, ofSession),
    fault: code === undefined ? undefined : { place: blocks.length, code },
  };
}

/** The block with a head that its session signed, or the code of what is wrong with it. */
function signedBlock(
  entry: JournalEntry,
  sessions: DeadSessions,
  verify: VerifyDigest,
): SoundBlock | string {
  try {
    const { sessionId, seq } = decodeJournalBlock(unverifiedPayload(entry.head));
    const key = sessions.keyOf(sessionId);
    if (key === undefined) return 'BLOCK_FOREIGN';
    // What is left of an older chunk: a journal is written over, not wiped.
    if (seq !== sessions.seq) return 'BLOCK_OLD';
    const { payload, id } = verifySigned('journal-block', key, entry.head, verify);
    return { ...entry, block: decodeJournalBlock(payload), id };
  } catch (error) {
    if (error instanceof FormatError || error instanceof VerificationError) return error.code;
    throw error;
  }
}

/** Why a block cannot follow the one before it. */
function faultOf(next: SoundBlock | string, before: SoundBlock | undefined): string | undefined {
  if (typeof next === 'string') return next;
  const { block } = next;
  if (block.place !== (before === undefined ? 0 : before.block.place + 1)) return 'BLOCK_PLACE';
  return before === undefined || isNextBlock(before, block) ? undefined : 'BLOCK_CHAIN';
}

/** Zeros are the end; anything else is a block that was torn, or that somebody wrote over. */
function codeOfNothing(bytes: Uint8Array, page: number): string | undefined {
  const rest = bytes.subarray(page * JOURNAL_PAGE, (page + 1) * JOURNAL_PAGE);
  return rest.some((byte) => byte !== 0) ? 'BLOCK_TORN' : undefined;
}
