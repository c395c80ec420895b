/**
 * Frees room in a spool: bodies by whole segments, oldest first, and in the end the rows that stood for them.
 * Implements spec/spool.md, "Retention".
 */
import { readdirSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { AtCommitPoint } from '../ports.ts';
import { storageError } from '../storage-error.ts';
import { dropCustodyLeaves } from './custody-leaves.ts';
import { forgetHistory } from './history.ts';
import type { PreparedStatements } from './prepared-statements.ts';
import { type KeptSegment, type RetentionLimits, retentionOf } from './retention.ts';
import { integer } from './rows.ts';
import { givenUpSegments, giveUpSegment, removeGivenUp, sizeOfSegment } from './segment-files.ts';
import { endOf, type IndexedSegment, segmentsOf } from './segment-rows.ts';
import type { Extent } from './uncovered.ts';

/** How much room a spool takes, and whether holds leave it too little. */
export type SpoolRoom = {
  readonly bytes: number;
  readonly heldBytes: number;
  readonly isFullOfHolds: boolean;
  /** Chunks whose bodies went, since the spool was opened. */
  readonly evictedChunks: number;
  /** When the oldest chunk ended whose segment is there, ms since 1970. */
  readonly oldestMs: number | undefined;
};

/** What the index may need to write a commit, beside bodies. */
const INDEX_BYTES = 1 << 20;
const HOUR_NS = 3_600_000_000_000n;

export class Eviction {
  readonly #folder: string;
  readonly #segments: string;
  readonly #sql: PreparedStatements;
  readonly #atCommitPoint: AtCommitPoint;
  /** Of segments that are written no more. */
  readonly #ends = new Map<number, bigint>();
  #evictedChunks = 0;
  #lastForgetNs: bigint | undefined;

  constructor(folder: string, sql: PreparedStatements, atCommitPoint: AtCommitPoint) {
    this.#folder = folder;
    this.#segments = join(folder, 'segments');
    this.#sql = sql;
    this.#atCommitPoint = atCommitPoint;
  }

  /** Ends what a kill interrupted: a segment that was given up is evicted. */
  finish(): void {
    for (const segment of givenUpSegments(this.#segments)) this.#settle(segment);
  }

  /**
   * @param nowNs wall clock; undefined while it is not known to be right
   * @throws OperationalError STORAGE_*
   */
  retain(limits: RetentionLimits, nowNs: bigint | undefined): SpoolRoom {
    try {
      const kept = this.#kept();
      const otherBytes = this.#otherBytes();
      const { evict, ...holds } = retentionOf(kept, otherBytes, limits, nowNs);
      for (const segment of evict) this.#evict(segment);
      this.#forget(limits.maxAgeDays, nowNs);
      const left = kept.filter(({ number }) => !evict.includes(number));
      const bytes = left.reduce((sum, segment) => sum + segment.bytes, otherBytes);
      return { bytes, ...holds, evictedChunks: this.#evictedChunks, oldestMs: this.#oldestMs() };
    } catch (cause) {
      throw storageError(cause);
    }
  }

  /**
   * Whatever the bounds say, since the disk is full: oldest first until `bytes` and a commit find room.
   * @returns whether anything was evicted; a disk that has room is full for another reason
   * @throws OperationalError STORAGE_*
   */
  makeRoom(bytes: number): boolean {
    try {
      const mayGo = segmentsOf(this.#sql, 0).filter(
        (segment) => !segment.isLast && !this.#isHeld(segment),
      );
      let hasEvicted = false;
      for (const { number } of mayGo) {
        const { bavail, bsize } = statfsSync(this.#folder);
        if (bavail * bsize >= bytes + INDEX_BYTES) break;
        this.#evict(number);
        hasEvicted = true;
      }
      return hasEvicted;
    } catch (cause) {
      throw storageError(cause);
    }
  }

  /**
   * First the name, then the row, then the file. A kill behind the name: the next start writes the row. A kill
   * behind the row: it removes the file. The row first would find no room on a full disk; the file first would
   * leave a row that promises bodies, which nobody could tell from a disk that lost them.
   */
  #evict(segment: number): void {
    this.#evictedChunks += this.#chunksIn(segment);
    giveUpSegment(this.#segments, segment);
    this.#atCommitPoint('segment-given-up');
    this.#settle(segment);
  }

  #settle(segment: number): void {
    this.#sql.transaction(() => {
      this.#sql.run('UPDATE segment SET evicted = 1 WHERE number = ?', segment);
      dropCustodyLeaves(this.#sql, segment);
    });
    this.#atCommitPoint('segment-evicted');
    removeGivenUp(this.#segments, segment);
    this.#ends.delete(segment);
  }

  /** Once an hour: it looks at every evicted segment that is old enough. */
  #forget(maxAgeDays: number, nowNs: bigint | undefined): void {
    if (nowNs === undefined) return;
    const last = this.#lastForgetNs;
    // A clock that was set back must not keep it from looking.
    if (last !== undefined && nowNs >= last && nowNs < last + HOUR_NS) return;
    this.#lastForgetNs = nowNs;
    forgetHistory(this.#sql, maxAgeDays, nowNs, this.#atCommitPoint);
  }

  #kept(): readonly KeptSegment[] {
    return segmentsOf(this.#sql, 0).map((segment) => ({
      number: segment.number,
      bytes: sizeOfSegment(this.#segments, segment.number),
      endNs: this.#endOf(segment),
      isHeld: this.#isHeld(segment),
    }));
  }

  #chunksIn(segment: number): number {
    const extent = segmentsOf(this.#sql, 0).find(({ number }) => number === segment);
    const sql = 'SELECT count(*) AS count FROM chunk WHERE place BETWEEN ? AND ?';
    const [row] = extent === undefined ? [] : this.#sql.all(sql, [extent.first, extent.last]);
    return row === undefined ? 0 : integer(row, 'count');
  }

  #oldestMs(): number | undefined {
    const [segment] = segmentsOf(this.#sql, 0);
    if (segment === undefined) return undefined;
    return Number(endOf(this.#sql, { first: segment.first, last: segment.first }) / 1_000_000n);
  }

  #isHeld({ first, last }: Extent): boolean {
    const sql = 'SELECT 1 FROM hold WHERE first_chunk <= ? AND last_chunk >= ? LIMIT 1';
    return this.#sql.all(sql, [last, first]).length > 0;
  }

  #endOf(segment: IndexedSegment): bigint {
    const known = this.#ends.get(segment.number);
    if (known !== undefined) return known;
    const endNs = endOf(this.#sql, segment);
    if (!segment.isLast) this.#ends.set(segment.number, endNs);
    return endNs;
  }

  /** Index, journal and locks. */
  #otherBytes(): number {
    return readdirSync(this.#folder, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .reduce((sum, { name }) => {
        const stat = statSync(join(this.#folder, name), { throwIfNoEntry: false });
        return sum + (stat?.size ?? 0);
      }, 0);
  }
}
