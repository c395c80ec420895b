/**
 * Pulls frames through the stages and owns the order of commits: chunks first, then the statement over
 * them, then the uplink hears of it.
 */
import type { PublicKey } from '../core/signature.ts';
import type { Batcher, SignedStatement } from './batch/batcher.ts';
import type { ChunkSealer, SealedChunk } from './chunk/chunk-sealer.ts';
import { Chunker, type SessionBefore, type Slice } from './chunk/chunker.ts';
import type { FrameSource } from './ports.ts';
import type { Spool } from './spool/spool.ts';

const READ_FRAMES = 4096;
/** A commit costs two syncs: at full speed many chunks share one, at real pace each has its own. */
const COMMIT_BYTES = 1 << 20;
const COMMIT_AFTER_MS = 200;

/** Of this session, committed. */
export type Progress = {
  readonly frames: number;
  readonly chunks: number;
  /** Where the last chunk ends, by the log's time. */
  readonly stampNs: bigint;
};

export type PipelineParts = {
  readonly source: FrameSource;
  readonly sealer: ChunkSealer;
  readonly batcher: Batcher;
  readonly spool: Spool;
  readonly sessionNumber: number;
  readonly sessionKey: PublicKey;
  readonly encodeStatement: (statement: SignedStatement) => Uint8Array;
  readonly chunkMs: number;
  /** As the session record names them; every header has a count for each. */
  readonly buses: readonly string[];
  /** None at the start of the log. */
  readonly sessionBefore: SessionBefore | undefined;
  /** Monotonic. */
  readonly nowMs: () => number;
  /** After every commit. */
  readonly onCommitted: (progress: Progress) => void;
};

export class Pipeline {
  readonly #parts: PipelineParts;
  readonly #chunker: Chunker;
  #sealed: SealedChunk[] = [];
  #sealedBytes = 0;
  #lastCommitMs: number;
  #progress: Progress = { frames: 0, chunks: 0, stampNs: 0n };
  #stopped = false;

  constructor(parts: PipelineParts) {
    this.#parts = parts;
    this.#lastCommitMs = parts.nowMs();
    const seal = (slice: Slice): void => {
      const chunk = parts.sealer.seal(slice, parts.source.buses);
      this.#sealed.push(chunk);
      this.#sealedBytes += chunk.body.length;
    };
    this.#chunker = new Chunker(parts.chunkMs, parts.buses, seal, parts.sessionBefore);
  }

  /** Until the source ends or `stop`; what was read by then is sealed, batched and committed. */
  async run(): Promise<void> {
    const { source, nowMs } = this.#parts;
    while (!this.#stopped) {
      const block = await source.read(READ_FRAMES);
      if (block === undefined) break;
      this.#chunker.push(block);
      const due = nowMs() - this.#lastCommitMs >= COMMIT_AFTER_MS;
      if (this.#sealedBytes >= COMMIT_BYTES || (due && this.#sealed.length > 0)) this.#commit();
    }
    this.#chunker.end(source.skippedAtEnd);
    this.#commit();
    while (this.#commitStatement(this.#parts.batcher.close()));
  }

  stop(): void {
    this.#stopped = true;
  }

  #commit(): void {
    const chunks = this.#sealed;
    this.#sealed = [];
    this.#sealedBytes = 0;
    this.#lastCommitMs = this.#parts.nowMs();
    const { spool, batcher, sessionNumber, sessionKey } = this.#parts;
    spool.commitChunks(sessionNumber, chunks);
    for (const { frameCount, wallEndNs } of chunks) {
      const { frames, chunks: before } = this.#progress;
      this.#progress = { frames: frames + frameCount, chunks: before + 1, stampNs: wallEndNs };
    }
    for (const chunk of chunks) this.#commitStatement(batcher.add({ ...chunk, sessionKey }));
    if (chunks.length > 0) this.#parts.onCommitted(this.#progress);
  }

  /** @returns whether there was one */
  #commitStatement(statement: SignedStatement | undefined): boolean {
    if (statement === undefined) return false;
    const { spool, sessionNumber, encodeStatement } = this.#parts;
    spool.commitStatement(sessionNumber, { ...statement, bytes: encodeStatement(statement) });
    this.#parts.onCommitted(this.#progress);
    return true;
  }
}
