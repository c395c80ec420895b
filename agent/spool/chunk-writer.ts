/**
 * Chunks: first their bodies, then the rows that name them.
 * Implements spec/spool.md, "Commits" and "Segment files".
 */
import { join } from 'node:path';
import type { AtCommitPoint, CustodyToCommit, StoredStream } from '../ports.ts';
import { isStorageFull } from '../storage-error.ts';
import { insertEntries } from './custody-leaves.ts';
import { insertCustody } from './custody-rows.ts';
import type { IndexWriter } from './index-writer.ts';
import type { LogWriter } from './log-writer.ts';
import { placeOf } from './place.ts';
import { type BodiesEnd, type BodyLocation, SegmentWriter } from './segment-files.ts';

/** A chunk with everything that becomes durable with it. */
export type ChunkToCommit = {
  readonly seq: number;
  readonly header: Uint8Array;
  readonly signature: Uint8Array;
  readonly body: Uint8Array;
  /** Streams that this chunk names for the first time, by ordinal; their roots may be durable already. */
  readonly freshStreams: readonly StoredStream[];
  readonly frameCount: number;
  readonly cursor: number;
  /** Custody records in it. */
  readonly custody?: CustodyToCommit | undefined;
  /** Where it has custody records: the entries of its tree, one after the other, in their order. */
  readonly custodyEntries?: Uint8Array;
};

export class ChunkWriter {
  readonly #index: IndexWriter;
  readonly #log: LogWriter;
  readonly #segments: SegmentWriter;
  readonly #atCommitPoint: AtCommitPoint;
  #lastSegment: number | undefined;

  /** @param end where the last indexed body ends */
  constructor(
    folder: string,
    end: BodiesEnd | undefined,
    index: IndexWriter,
    log: LogWriter,
    atCommitPoint: AtCommitPoint,
  ) {
    this.#index = index;
    this.#log = log;
    this.#atCommitPoint = atCommitPoint;
    this.#lastSegment = end?.segment;
    // A body beyond the last indexed one was never promised to anybody: it is cut off here.
    this.#segments = new SegmentWriter(join(folder, 'segments'), end);
  }

  /**
   * First the bodies are synced, then one transaction names them. A kill in between leaves bytes that
   * no row names: cut off at the next start, and the frames are read again, or recovered from the journal,
   * under the same seq and a new nonce. A kill after the transaction leaves chunks that the next session
   * finds, batches and chains to. On a full disk the oldest bodies make room; when none may go, nothing of these
   * chunks is durable, and they can be committed again. A stream's root is durable with the transaction that
   * names the stream or before it: no chunk is ever durable without the root that opens it, and a root without
   * a chunk sealed nothing that is left but journal blocks.
   * @param chunks at least one
   * @param insertSession of the session that recovered them, in the same transaction
   * @returns whether they began a segment
   */
  commit(session: number, chunks: readonly ChunkToCommit[], insertSession?: () => void): boolean {
    const log = this.#log.current;
    const named = chunks.flatMap((chunk) => chunk.freshStreams);
    const fresh = this.#log.notStored(named);
    const locations = this.#append(chunks.map((chunk) => chunk.body));
    this.#atCommitPoint('bodies-synced');
    this.#commitBodies(locations, () => {
      insertSession?.();
      this.#log.insertFresh(fresh);
      let { announced } = this.#log;
      chunks.forEach((chunk, i) => {
        const location = locations[i];
        if (location === undefined) return;
        announced += chunk.freshStreams.length;
        this.#insertChunk(placeOf(log, chunk.seq), placeOf(log, session), chunk, {
          ...location,
          announced,
        });
        if (chunk.custody !== undefined) {
          insertCustody(this.#index.sql, log, chunk.seq, chunk.custody);
        }
        if (chunk.custodyEntries !== undefined) {
          insertEntries(this.#index.sql, placeOf(log, chunk.seq), chunk.custodyEntries);
        }
      });
    });
    this.#log.announce(named.length, fresh);
    const isNewSegment = locations.at(-1)?.segment !== this.#lastSegment;
    this.#lastSegment = locations.at(-1)?.segment;
    if (insertSession !== undefined) this.#atCommitPoint('session-committed');
    this.#atCommitPoint('chunks-committed');
    return isNewSegment;
  }

  close(): void {
    this.#segments.close();
  }

  #insertChunk(
    place: number,
    session: number,
    chunk: ChunkToCommit,
    at: BodyLocation & { readonly announced: number },
  ): void {
    if (at.segment !== this.#lastSegment) {
      this.#index.sql.run('INSERT OR IGNORE INTO segment VALUES (?, ?, 0)', at.segment, place);
    }
    this.#index.sql.run(
      'INSERT INTO chunk VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      place,
      session,
      chunk.header,
      chunk.signature,
      at.segment,
      at.offset,
      at.length,
      chunk.frameCount,
      chunk.cursor,
      at.announced,
    );
  }

  #append(bodies: readonly Uint8Array[]): readonly BodyLocation[] {
    const bytes = bodies.reduce((sum, body) => sum + body.length, 0);
    return this.#index.withRoom(bytes, () => {
      try {
        return this.#segments.append(bodies);
      } catch (error) {
        // Nobody names them yet: what of them is on the disk does not matter.
        this.#segments.takeBack(undefined);
        throw error;
      }
    });
  }

  #commitBodies(locations: readonly BodyLocation[], work: () => void): void {
    try {
      this.#index.commit(work);
    } catch (error) {
      // Only when it is known that no row names them; otherwise the next start finds out.
      if (isStorageFull(error)) this.#segments.takeBack(locations[0]);
      throw error;
    }
  }
}
