/**
 * Chunk headers into statements: when a batch closes, its tree, its signature.
 * Implements spec/statement.md.
 */
import { recordId, sigStructure } from '../../core/cose.ts';
import type { Hash } from '../../core/hash.ts';
import { MerkleTree } from '../../core/merkle.ts';
import type { PublicKey } from '../../core/signature.ts';
import {
  chunkCount,
  encodeStatement,
  MAX_BATCH_CHUNKS,
  MAX_SPANS,
  type Span,
  type Statement,
} from '../../core/statement.ts';
import type { BeaconBlock } from '../../core/vehicle-log.ts';
import type { Signer } from '../ports.ts';

/** A committed chunk that no statement covers yet. */
export type UnbatchedChunk = {
  /** Of its header: after a rolled-back disk it may be one before that of the statement. */
  readonly log: number;
  readonly seq: number;
  readonly header: Uint8Array;
  /** Of the session that signed the header: after a crash it is not the one that signs the statement. */
  readonly sessionKey: PublicKey;
  readonly wallStartNs: bigint;
};

export type SignedStatement = {
  readonly seq: number;
  readonly id: Uint8Array;
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
  readonly spans: readonly Span[];
};

export type BatcherSession = Pick<
  Statement,
  'tag' | 'epoch' | 'log' | 'deviceKeyId' | 'sessionId'
> & { readonly signer: Signer };

export class Batcher {
  readonly #session: BatcherSession;
  readonly #sha256: Hash;
  readonly #durationNs: bigint;
  readonly #beacon: () => BeaconBlock | undefined;
  #pending: UnbatchedChunk[];
  #nextSeq: number;
  #previousId: Uint8Array | undefined;

  /**
   * @param pending committed chunks of earlier sessions, or of logs before, that no statement covers:
   *   ascending by log and seq
   * @param last the newest committed statement of the log
   */
  constructor(
    session: BatcherSession,
    options: { readonly durationMs: number; readonly sha256: Hash },
    beacon: () => BeaconBlock | undefined,
    pending: readonly UnbatchedChunk[],
    last: { readonly seq: number; readonly id: Uint8Array } | undefined,
  ) {
    this.#session = session;
    this.#sha256 = options.sha256;
    this.#durationNs = BigInt(options.durationMs) * 1_000_000n;
    this.#beacon = beacon;
    this.#pending = [...pending];
    this.#nextSeq = last === undefined ? 0 : last.seq + 1;
    this.#previousId = last?.id;
  }

  /**
   * @param added of the session's own log
   * @returns a statement when this chunk begins the next batch; the chunk itself waits for the one after
   */
  add(added: Omit<UnbatchedChunk, 'log'>): SignedStatement | undefined {
    const chunk = { ...added, log: this.#session.log };
    const statement = this.#closesBefore(chunk) ? this.close() : undefined;
    this.#pending.push(chunk);
    return statement;
  }

  /**
   * Batches what waits: at the end, or at once for an event. Called again until nothing waits, since a
   * crash may leave more than one statement may cover.
   */
  close(): SignedStatement | undefined {
    const spans = spansOf(this.#pending);
    if (spans.length === 0) return undefined;
    const covered = this.#pending.slice(0, chunkCount(spans));
    const { signer, ...session } = this.#session;
    const leaves = covered.map((chunk) =>
      sigStructure('chunk-header', chunk.sessionKey, chunk.header),
    );
    const payload = encodeStatement({
      ...session,
      seq: this.#nextSeq,
      previousId: this.#previousId,
      spans,
      root: new MerkleTree(leaves, this.#sha256).root(),
      beacon: this.#beacon(),
    });
    const id = recordId('statement', signer.key, payload);
    const statement = {
      seq: this.#nextSeq,
      id,
      payload,
      signature: signer.sign(id),
      spans,
    };
    this.#pending = this.#pending.slice(covered.length);
    this.#nextSeq += 1;
    this.#previousId = id;
    return statement;
  }

  /** By the chunks' own times, so that a replay at any speed batches alike; a clock that steps back closes too. */
  #closesBefore(chunk: UnbatchedChunk): boolean {
    const [first] = this.#pending;
    if (first === undefined) return false;
    const age = chunk.wallStartNs - first.wallStartNs;
    return age >= this.#durationNs || age < 0n || this.#pending.length >= MAX_BATCH_CHUNKS;
  }
}

/**
 * As many of the first chunks as one statement may cover. A span for each run of neighbours: one, unless
 * logs before left something.
 */
function spansOf(chunks: readonly UnbatchedChunk[]): readonly Span[] {
  const spans: Span[] = [];
  for (const { log, seq } of chunks.slice(0, MAX_BATCH_CHUNKS)) {
    const last = spans.at(-1);
    if (last !== undefined && last.log === log && last.firstSeq + last.count === seq) {
      spans[spans.length - 1] = { ...last, count: last.count + 1 };
    } else {
      if (spans.length === MAX_SPANS) break;
      spans.push({ log, firstSeq: seq, count: 1 });
    }
  }
  return spans;
}
