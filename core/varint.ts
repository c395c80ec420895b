/** Unsigned little-endian base-128 integers up to 2^53-1 (spec/encoding.md, "Varint"). */
import { FormatError } from './errors.ts';

/** @returns the offset after the integer */
export function writeVarint(out: Uint8Array, at: number, value: number): number {
  let rest = value;
  let end = at;
  while (rest > 0x7f) {
    out[end] = (rest % 0x80) | 0x80;
    end += 1;
    rest = Math.floor(rest / 0x80);
  }
  out[end] = rest;
  return end + 1;
}

/** Takes bytes in order from one array. Every method throws FormatError when it runs out. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #code: string;
  #at = 0;

  /** @param code of the FormatError to throw */
  constructor(bytes: Uint8Array, code: string) {
    this.#bytes = bytes;
    this.#code = code;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw this.#error('expected 1 more byte, got the end');
    this.#at += 1;
    return byte;
  }

  /** A view, not a copy. */
  take(length: number): Uint8Array {
    if (length > this.remaining)
      throw this.#error(`expected ${length} more bytes, got ${this.remaining}`);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** Only the shortest form is accepted. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw this.#error('expected an integer below 2^53');
      if (byte < 0x80) {
        if (byte === 0 && scale > 1) throw this.#error('expected the shortest form of an integer');
        return value;
      }
      scale *= 0x80;
      if (scale > 2 ** 49) throw this.#error('expected an integer below 2^53');
    }
  }

  end(): void {
    if (this.remaining > 0) throw this.#error(`expected the end, got ${this.remaining} more bytes`);
  }

  #error(message: string): FormatError {
    return new FormatError(this.#code, message);
  }
}
