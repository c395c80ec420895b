/**
 * Chunk bodies in append-only files: each byte is written once, and the index says what counts.
 * Implements spec/spool.md, "Segment files".
 */
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { OperationalError } from '../../core/errors.ts';
import { syncFolder } from '../folder.ts';
import { storageError } from '../storage-error.ts';

/** Where a body lies. */
export type BodyLocation = {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
};

/** Where the last indexed body ends. */
export type BodiesEnd = { readonly segment: number; readonly offset: number };

/** A segment takes bodies until it has this size; the last one may pass it. */
const SEGMENT_BYTES = 8 << 20;
const NAME = /^(\d{8})\.seg$/;
/** Of a segment that is being evicted: the name is the decision, whatever the index still says. */
const EVICTED_NAME = /^(\d{8})\.evicted$/;

export function segmentPath(folder: string, segment: number): string {
  return join(folder, `${String(segment).padStart(8, '0')}.seg`);
}

function evictedPath(folder: string, segment: number): string {
  return join(folder, `${String(segment).padStart(8, '0')}.evicted`);
}

/** The one writer. Reading needs no writer: see `readBody`. */
export class SegmentWriter {
  readonly #folder: string;
  #segment: number;
  #end: number;
  #descriptor: number;

  /**
   * Cuts off what lies beyond `end`: bodies that were written but never indexed, so never promised.
   * @param end undefined for an empty spool
   * @throws OperationalError STORAGE_*
   */
  constructor(folder: string, end: BodiesEnd | undefined) {
    this.#folder = folder;
    this.#segment = end?.segment ?? 0;
    this.#end = end?.offset ?? 0;
    try {
      removeSegmentsAfter(folder, this.#segment);
      if (sizeOfSegment(folder, this.#segment) < this.#end) {
        // Indexed bodies are gone. Made longer again, the file would give zeros in their place; left as it
        // is, reading them says what happened, and recording goes on in a file of its own.
        this.#segment += 1;
        this.#end = 0;
      }
      this.#descriptor = openSegment(folder, this.#segment);
      ftruncateSync(this.#descriptor, this.#end);
    } catch (cause) {
      throw storageError(cause);
    }
  }

  /** Written and synced when this returns; indexed by nobody yet. @throws OperationalError STORAGE_* */
  append(bodies: readonly Uint8Array[]): readonly BodyLocation[] {
    try {
      if (this.#end >= SEGMENT_BYTES) this.#startNextSegment();
      const start = this.#end;
      let end = start;
      const locations = bodies.map((body) => {
        const location = { segment: this.#segment, offset: end, length: body.length };
        end += body.length;
        return location;
      });
      const all = Buffer.concat(bodies);
      for (let at = 0; at < all.length; ) {
        at += writeSync(this.#descriptor, all, at, all.length - at, start + at);
      }
      fdatasyncSync(this.#descriptor);
      this.#end = end;
      return locations;
    } catch (cause) {
      throw storageError(cause);
    }
  }

  /**
   * Takes back bodies that were appended and that no row will name: the disk was full. Their bytes are not
   * kept for another attempt, since a sync that failed says nothing about what of them is on the disk.
   * @param first location of the first of them; undefined when not even the append succeeded
   * @throws OperationalError STORAGE_*
   */
  takeBack(first: BodyLocation | undefined): void {
    try {
      this.#end = first?.offset ?? this.#end;
      ftruncateSync(this.#descriptor, this.#end);
    } catch (cause) {
      throw storageError(cause);
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #startNextSegment(): void {
    const next = openSegment(this.#folder, this.#segment + 1);
    closeSync(this.#descriptor);
    this.#descriptor = next;
    this.#segment += 1;
    this.#end = 0;
  }
}

function removeSegmentsAfter(folder: string, last: number): void {
  for (const name of readdirSync(folder)) {
    const segment = Number(NAME.exec(name)?.[1] ?? -1);
    if (segment > last) unlinkSync(join(folder, name));
  }
}

/** In bytes; 0 when it is not there. */
export function sizeOfSegment(folder: string, segment: number): number {
  return statSync(segmentPath(folder, segment), { throwIfNoEntry: false })?.size ?? 0;
}

/** Makes the file when it is not there; its name is durable before anything points to it. */
function openSegment(folder: string, segment: number): number {
  const path = segmentPath(folder, segment);
  // 'a' makes the file but writes at its end whatever the position: opened again to write at positions.
  closeSync(openSync(path, 'a', 0o600));
  syncFolder(folder);
  return openSync(path, 'r+');
}

/**
 * Decided when it returns: a segment of this name is never read again. Its bytes are free, so that the index
 * finds room to say so on a disk that is full. A kill between the two leaves bytes that the next start frees.
 */
export function giveUpSegment(folder: string, segment: number): void {
  // A segment that was lost needs no giving up.
  if (existsSync(segmentPath(folder, segment))) {
    renameSync(segmentPath(folder, segment), evictedPath(folder, segment));
    syncFolder(folder);
    truncateSync(evictedPath(folder, segment));
  }
}

export function isGivenUp(folder: string, segment: number): boolean {
  return existsSync(evictedPath(folder, segment));
}

/** Once the index knows. */
export function removeGivenUp(folder: string, segment: number): void {
  if (isGivenUp(folder, segment)) unlinkSync(evictedPath(folder, segment));
}

export function givenUpSegments(folder: string): readonly number[] {
  return readdirSync(folder).flatMap((name) => {
    const digits = EVICTED_NAME.exec(name)?.[1];
    return digits === undefined ? [] : Number(digits);
  });
}

/** @throws OperationalError SPOOL_BODY_MISSING when the file is shorter than its index says, STORAGE_* */
export function readBody(folder: string, location: BodyLocation): Uint8Array {
  const body = new Uint8Array(location.length);
  let descriptor: number;
  try {
    descriptor = openSync(segmentPath(folder, location.segment), 'r');
  } catch (cause) {
    throw bodyMissing(location, cause);
  }
  try {
    for (let got = 0; got < body.length; ) {
      const read = readSync(descriptor, body, got, body.length - got, location.offset + got);
      if (read === 0) throw bodyMissing(location, undefined);
      got += read;
    }
  } catch (cause) {
    throw storageError(cause);
  } finally {
    closeSync(descriptor);
  }
  return body;
}

function bodyMissing(location: BodyLocation, cause: unknown): OperationalError {
  return new OperationalError(
    'SPOOL_BODY_MISSING',
    `segment ${location.segment} does not hold the body that the index names`,
    { retryable: false, cause },
  );
}
