/**
 * A log file as a sequence of byte parts, unpacked when it is gzip: never whole in memory.
 */
import { type FileHandle, open } from 'node:fs/promises';
import type { ByteParts } from './byte-parts.ts';
import { GunzipParts } from './gunzip-parts.ts';
import { fileError } from './replay-errors.ts';

const PART_BYTES = 64 * 1024;

/** Opens a plain or gzip file, whatever its name says. @throws UserError, OperationalError */
export async function openByteParts(path: string): Promise<ByteParts> {
  const file = await openFile(path);
  try {
    const parts = new FileParts(file, path);
    const first = await parts.next();
    const all = new PartsWithFirst(first, parts);
    return isGzip(first) ? new GunzipParts(all, path) : all;
  } catch (cause) {
    await file.close();
    throw cause;
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (cause) {
    throw fileError(path, cause);
  }
}

function isGzip(first: Uint8Array | undefined): boolean {
  return first !== undefined && first[0] === 0x1f && first[1] === 0x8b;
}

class FileParts implements ByteParts {
  readonly #file: FileHandle;
  readonly #path: string;

  constructor(file: FileHandle, path: string) {
    this.#file = file;
    this.#path = path;
  }

  async next(): Promise<Uint8Array | undefined> {
    const bytes = new Uint8Array(PART_BYTES);
    let filled = 0;
    try {
      // A pipe may give a single byte, and the caller looks for two.
      while (filled < 2) {
        const { bytesRead } = await this.#file.read(bytes, filled, PART_BYTES - filled, null);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
    } catch (cause) {
      throw fileError(this.#path, cause);
    }
    return filled === 0 ? undefined : bytes.subarray(0, filled);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

class PartsWithFirst implements ByteParts {
  #first: Uint8Array | undefined;
  readonly #rest: ByteParts;

  constructor(first: Uint8Array | undefined, rest: ByteParts) {
    this.#first = first;
    this.#rest = rest;
  }

  async next(): Promise<Uint8Array | undefined> {
    const first = this.#first;
    this.#first = undefined;
    return first ?? (await this.#rest.next());
  }

  async close(): Promise<void> {
    await this.#rest.close();
  }
}
