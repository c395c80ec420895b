/**
 * Owns the order of commits: chunks first, then the statement over them, then whoever sends hears of it.
 */
import type { PublicKey } from '../core/signature.ts';
import type { Batcher, SignedStatement } from './batch/batcher.ts';
import type { SealedChunk } from './chunk/chunk-sealer.ts';
import { withCustodyEntries } from './custody-entries.ts';
import type { Primitives, StoredLog, StoredSession } from './ports.ts';
import type { Spool } from './spool/spool.ts';

/** Of this session, committed. */
export type Progress = {
  readonly frames: number;
  readonly chunks: number;
  /** Where the last chunk ends, by the wall clock or the log's time. */
  readonly stampNs: bigint;
};

export type CommitParts = {
  readonly spool: Spool;
  readonly batcher: Batcher;
  readonly log: StoredLog;
  readonly session: StoredSession;
  readonly sessionKey: PublicKey;
  readonly primitives: Primitives;
  readonly encodeStatement: (statement: SignedStatement) => Uint8Array;
  /** After chunks are durable, with the roots of all streams that there are. */
  readonly onRootsDurable: () => void;
  /** After every commit. */
  readonly onCommitted: (progress: Progress) => void;
};

export class Commits {
  readonly #parts: CommitParts;
  #progress: Progress = { frames: 0, chunks: 0, stampNs: 0n };
  /** The session is on the disk. */
  hasBegun = false;

  constructor(parts: CommitParts) {
    this.#parts = parts;
  }

  /** Durable when it returns: the session, and what it recovered of the one before. Before everything else. */
  begin(recovered?: SealedChunk): void {
    const { spool, log, session } = this.#parts;
    if (recovered === undefined) spool.commitSession(log, session);
    else spool.commitRecovery(log, session, recovered);
    this.hasBegun = true;
    if (recovered !== undefined) this.#committed([recovered]);
  }

  /** Durable when it returns, with the statement that one of the chunks completes. */
  commit(chunks: readonly SealedChunk[]): void {
    if (chunks.length === 0) return;
    const { spool, log, session, primitives, onRootsDurable } = this.#parts;
    const withEntries = withCustodyEntries(chunks, () => spool.streams(log.log), primitives);
    spool.commitChunks(session.number, withEntries);
    onRootsDurable();
    this.#committed(chunks);
  }

  /** Batches everything that waits; called again by itself, since one statement covers only so many chunks. */
  closeBatch(): void {
    while (this.#commitStatement(this.#parts.batcher.close()));
  }

  #committed(chunks: readonly SealedChunk[]): void {
    const { batcher, sessionKey } = this.#parts;
    for (const { frameCount, wallEndNs } of chunks) {
      const { frames, chunks: before } = this.#progress;
      this.#progress = { frames: frames + frameCount, chunks: before + 1, stampNs: wallEndNs };
    }
    for (const { seq, header, wallStartNs } of chunks) {
      // Without its body: it waits for as long as a batch takes.
      this.#commitStatement(batcher.add({ seq, header, wallStartNs, sessionKey }));
    }
    this.#parts.onCommitted(this.#progress);
  }

  /** @returns whether there was one */
  #commitStatement(statement: SignedStatement | undefined): boolean {
    if (statement === undefined) return false;
    const { spool, session, encodeStatement } = this.#parts;
    spool.commitStatement(session.number, { ...statement, bytes: encodeStatement(statement) });
    this.#parts.onCommitted(this.#progress);
    return true;
  }
}
