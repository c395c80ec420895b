/**
 * The journal's file: written in place, synced block by block, and read again after a crash.
 * Implements spec/journal-block.md, "Journal file".
 */
import {
  closeSync,
  copyFileSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { syncFolder } from '../folder.ts';
import { storageError } from '../storage-error.ts';

/** Blocks start at multiples of this: a page of the disk is written once for each block that fits in one. */
export const JOURNAL_PAGE = 4096;
const JOURNAL_BYTES = 4 << 20;
const LENGTH_BYTES = 4;
const UNFINISHED_COPY = 'journal-damaged.new';

export function journalPath(folder: string): string {
  return join(folder, 'journal');
}

export class JournalFile {
  readonly #path: string;
  readonly #descriptor: number;
  #at = 0;
  #page = Buffer.alloc(16 * JOURNAL_PAGE);

  private constructor(path: string, descriptor: number) {
    this.#path = path;
    this.#descriptor = descriptor;
  }

  /**
   * Makes the file at its full length when it is not there: writing in place later changes no metadata, so
   * a sync of a block is a sync of its pages. @throws OperationalError STORAGE_*
   */
  static open(folder: string): JournalFile {
    const path = journalPath(folder);
    let descriptor: number | undefined;
    try {
      // What a kill in `keepDamaged` left. It never counted, and nothing is lost with it: the journal that it is a copy
      // of is overwritten only when its chunk is committed, which comes behind the copy, so that this start finds the
      // journal damaged again and makes the copy anew. Not synced: what a loss of power brings back goes at the next start.
      rmSync(join(folder, UNFINISHED_COPY), { force: true });
      const isNew = !existsSync(path);
      descriptor = openSync(path, isNew ? 'wx+' : 'r+', 0o600);
      // Zeros and no hole: a hole would be filled, and its metadata written, at every first write. Page by page:
      // what the kernel caches as one piece, it counts as written whole whenever one page of it is.
      const zeros = Buffer.alloc(JOURNAL_PAGE);
      for (let at = fstatSync(descriptor).size; at < JOURNAL_BYTES; ) {
        at += writeSync(descriptor, zeros, 0, Math.min(zeros.length, JOURNAL_BYTES - at), at);
      }
      fsyncSync(descriptor);
      if (isNew) syncFolder(dirname(path));
      return new JournalFile(path, descriptor);
    } catch (cause) {
      // A full disk is tried again every second, for a night.
      if (descriptor !== undefined) closeSync(descriptor);
      throw storageError(cause);
    }
  }

  /**
   * Writes what stands there already, and syncs it: a disk that takes no block shows it before anything rests on it.
   * @throws OperationalError STORAGE_*
   */
  probe(): void {
    try {
      const page = Buffer.alloc(JOURNAL_PAGE);
      readSync(this.#descriptor, page, 0, JOURNAL_PAGE, 0);
      writeSync(this.#descriptor, page, 0, JOURNAL_PAGE, 0);
      fdatasyncSync(this.#descriptor);
    } catch (cause) {
      throw storageError(cause);
    }
  }

  /** Bytes that are left for the blocks of this chunk. */
  get room(): number {
    return JOURNAL_BYTES - this.#at;
  }

  /** All of it, for recovery. Backwards, so that the kernel caches page by page (see `open`). */
  read(): Uint8Array {
    try {
      const bytes = Buffer.alloc(JOURNAL_BYTES);
      for (let at = JOURNAL_BYTES - JOURNAL_PAGE; at >= 0; at -= JOURNAL_PAGE) {
        readSync(this.#descriptor, bytes, at, JOURNAL_PAGE, at);
      }
      return bytes;
    } catch (cause) {
      throw storageError(cause);
    }
  }

  /**
   * Durable when it returns. A kill before leaves a block that is torn or not there: recovery ends at it, and
   * nobody was told that it is durable. A kill after leaves a whole block.
   * @throws OperationalError STORAGE_*: whether it is durable is not known
   */
  append(head: Uint8Array, body: Uint8Array): void {
    const length = 2 * LENGTH_BYTES + head.length + body.length;
    const padded = Math.ceil(length / JOURNAL_PAGE) * JOURNAL_PAGE;
    if (padded > this.room) throw new RangeError(`no room for a block of ${length} bytes`);
    if (padded > this.#page.length) this.#page = Buffer.alloc(2 * padded);
    const page = this.#page;
    page.writeUInt32BE(head.length, 0);
    page.set(head, LENGTH_BYTES);
    page.writeUInt32BE(body.length, LENGTH_BYTES + head.length);
    page.set(body, 2 * LENGTH_BYTES + head.length);
    page.fill(0, length, padded);
    try {
      for (let done = 0; done < padded; ) {
        done += writeSync(this.#descriptor, page, done, padded - done, this.#at + done);
      }
      fdatasyncSync(this.#descriptor);
    } catch (cause) {
      throw storageError(cause);
    }
    this.#at += padded;
  }

  /**
   * The chunk of these blocks is sealed and committed: the next block overwrites them. What is left of them
   * behind it names an older chunk, and recovery passes over it.
   */
  free(): void {
    this.#at = 0;
  }

  /**
   * A copy for experts, whole or not at all: this journal was altered, and recording overwrites it. The oldest and
   * the newest copy stay: on a disk that ignores flushes each loss of power makes one, and all of them would take the
   * place of recordings. A kill before the rename leaves the unfinished copy, which `open` removes; one behind it leaves
   * the copy, and at most one too many until the next is made.
   * @param log,seq of the chunk that its blocks went into
   * @throws OperationalError STORAGE_*
   */
  keepDamaged(log: number, seq: number): void {
    const folder = dirname(this.#path);
    const path = join(folder, `journal-damaged-${log}-${seq}`);
    const unfinished = join(folder, UNFINISHED_COPY);
    try {
      copyFileSync(this.#path, unfinished);
      const descriptor = openSync(unfinished, 'r+');
      try {
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
      renameSync(unfinished, path);
      for (const name of damagedCopies(folder).slice(1, -1)) rmSync(join(folder, name));
      syncFolder(folder);
    } catch (cause) {
      rmSync(unfinished, { force: true });
      throw storageError(cause);
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** Names, by log and chunk. */
function damagedCopies(folder: string): readonly string[] {
  return readdirSync(folder)
    .map((name) => /^journal-damaged-(\d+)-(\d+)$/.exec(name))
    .filter((match) => match !== null)
    .sort((a, b) => Number(a[1]) - Number(b[1]) || Number(a[2]) - Number(b[2]))
    .map(([name]) => name);
}

/** Head and body as they stand in the file. */
export type JournalEntry = {
  readonly page: number;
  /** COSE_Sign1. */
  readonly head: Uint8Array;
  readonly body: Uint8Array;
  /** Where the block after it begins. */
  readonly nextPage: number;
};

const MAX_HEAD_BYTES = 20 * 1024;

/** What could be a block at this page by its lengths; nothing is believed. Views into `bytes`. */
export function journalEntryAt(bytes: Uint8Array, page: number): JournalEntry | undefined {
  const start = page * JOURNAL_PAGE;
  if (start + 2 * LENGTH_BYTES > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headLength = view.getUint32(start);
  const headStart = start + LENGTH_BYTES;
  if (headLength === 0 || headLength > MAX_HEAD_BYTES) return undefined;
  const bodyStart = headStart + headLength + LENGTH_BYTES;
  if (bodyStart > bytes.length) return undefined;
  const bodyLength = view.getUint32(bodyStart - LENGTH_BYTES);
  if (bodyStart + bodyLength > bytes.length) return undefined;
  return {
    page,
    head: bytes.subarray(headStart, headStart + headLength),
    body: bytes.subarray(bodyStart, bodyStart + bodyLength),
    nextPage: Math.ceil((bodyStart + bodyLength) / JOURNAL_PAGE),
  };
}
