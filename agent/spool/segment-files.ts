/**
 * Chunk bodies in append-only files: each byte is written once, and the index says what counts.
 * Implements spec/spool.md, "Segment files".
 */
import {
  closeSync,
  fdatasyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
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

function segmentPath(folder: string, segment: number): string {
  return join(folder, `${String(segment).padStart(8, '0')}.seg`);
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
      const locations = bodies.map((body) => {
        const location = { segment: this.#segment, offset: this.#end, length: body.length };
        this.#end += body.length;
        return location;
      });
      const all = Buffer.concat(bodies);
      for (let at = 0; at < all.length; ) {
        at += writeSync(this.#descriptor, all, at, all.length - at, start + at);
      }
      fdatasyncSync(this.#descriptor);
      return locations;
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

function sizeOfSegment(folder: string, segment: number): number {
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
