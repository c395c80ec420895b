/**
 * Unpacks gzip parts as a stream, members that follow one another included.
 */
import { createGunzip } from 'node:zlib';
import type { ByteParts } from './byte-parts.ts';
import { gzipError } from './replay-errors.ts';

/** Deflate expands at most 1,032 times: bounds what one write can queue up to 17 MB. */
const WRITE_BYTES = 16 * 1024;
const OUTPUT_BYTES = 128 * 1024;

/**
 * Everything that zlib gave out before an error is delivered first; an iterator over the stream would drop
 * what it has buffered. A file cut short is so given to its last byte. Where bytes are wrong, zlib keeps
 * back what it made in the failing call: at most OUTPUT_BYTES before the damage.
 */
export class GunzipParts implements ByteParts {
  readonly #gunzip = createGunzip({ chunkSize: OUTPUT_BYTES });
  readonly #packed: ByteParts;
  readonly #path: string;
  readonly #ready: Uint8Array[] = [];
  #unwritten: Uint8Array = new Uint8Array(0);
  #ended = false;
  #failure: Error | undefined;
  #wake: () => void = () => undefined;

  constructor(packed: ByteParts, path: string) {
    this.#packed = packed;
    this.#path = path;
    this.#gunzip.on('data', (part: Uint8Array) => {
      this.#ready.push(part);
    });
    this.#gunzip.on('end', () => {
      this.#ended = true;
      this.#wake();
    });
    this.#gunzip.on('error', (cause) => {
      this.#failure = gzipError(this.#path, cause);
      this.#wake();
    });
  }

  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const part = this.#ready.shift();
      if (part !== undefined) return part;
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) return undefined;
      await this.#feed();
    }
  }

  async close(): Promise<void> {
    this.#gunzip.destroy();
    this.#wake();
    await this.#packed.close();
  }

  async #feed(): Promise<void> {
    if (this.#unwritten.length === 0) {
      const packed = await this.#packed.next();
      if (packed === undefined) {
        await this.#until(() => this.#gunzip.end());
        return;
      }
      this.#unwritten = packed;
    }
    const piece = this.#unwritten.subarray(0, WRITE_BYTES);
    this.#unwritten = this.#unwritten.subarray(WRITE_BYTES);
    await this.#until((written) => this.#gunzip.write(piece, written));
  }

  /** Resolves when the step is done, or the stream has ended, failed or been closed. */
  async #until(step: (done: () => void) => void): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      step(resolve);
    });
  }
}
