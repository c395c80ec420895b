/** Pulls the frames of a recorded log through the stages: a chunk ends where the log's own stamps say. */
import type { ChunkSealer, SealedChunk } from './chunk/chunk-sealer.ts';
import { Chunker, type SessionBefore, type Slice } from './chunk/chunker.ts';
import type { Commits } from './commits.ts';
import type { CustodySource, FrameSource } from './ports.ts';
import type { AgentStatus } from './status.ts';

const READ_FRAMES = 4096;
/** A commit costs two syncs: at full speed many chunks share one, at real pace each has its own. */
const COMMIT_BYTES = 1 << 20;
const COMMIT_AFTER_MS = 200;

export type ReplayPipelineParts = {
  readonly source: FrameSource;
  readonly sealer: ChunkSealer;
  readonly commits: Commits;
  readonly custody: CustodySource;
  readonly chunkMs: number;
  /** As the session record names them; every header has a count for each. */
  readonly buses: readonly string[];
  /** None at the start of the log. */
  readonly sessionBefore: SessionBefore | undefined;
  readonly status: AgentStatus;
  /** Monotonic. */
  readonly nowMs: () => number;
};

export class ReplayPipeline {
  readonly #parts: ReplayPipelineParts;
  readonly #chunker: Chunker;
  #sealed: SealedChunk[] = [];
  #sealedBytes = 0;
  #lastCommitMs: number;
  #stopped = false;

  constructor(parts: ReplayPipelineParts) {
    this.#parts = parts;
    this.#lastCommitMs = parts.nowMs();
    const seal = (slice: Slice): void => {
      const { sealer, custody } = parts;
      const chunk = sealer.seal(slice, parts.source.buses, custody.take(sealer.nextSeq));
      this.#sealed.push(chunk);
      parts.status.sealed({ ...slice, seq: chunk.seq, bodyBytes: chunk.body.length });
      this.#sealedBytes += chunk.body.length;
    };
    this.#chunker = new Chunker(parts.chunkMs, parts.buses, seal, parts.sessionBefore);
  }

  /** Until the source ends or `stop`; what was read by then is sealed, batched and committed. */
  async run(): Promise<void> {
    const { source, nowMs, commits, status } = this.#parts;
    while (!this.#stopped) {
      const block = await source.read(READ_FRAMES);
      if (block === undefined) break;
      this.#chunker.push(block);
      status.countFrames(block, source.buses, Date.now());
      const due = nowMs() - this.#lastCommitMs >= COMMIT_AFTER_MS;
      if (this.#sealedBytes >= COMMIT_BYTES || (due && this.#sealed.length > 0)) this.#commit();
    }
    this.#chunker.end(source.skippedAtEnd);
    this.#commit();
    commits.closeBatch();
  }

  stop(): void {
    this.#stopped = true;
  }

  #commit(): void {
    const chunks = this.#sealed;
    this.#sealed = [];
    this.#sealedBytes = 0;
    this.#lastCommitMs = this.#parts.nowMs();
    const { commits, custody, status, nowMs } = this.#parts;
    const beganMs = nowMs();
    commits.commit(chunks);
    custody.committed();
    if (chunks.length > 0) status.committed((nowMs() - beganMs) / 1000);
  }
}
