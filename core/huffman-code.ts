/** A canonical Huffman code of RFC 1951, section 3.2.2, for reading symbols bit by bit. */
import { FormatError } from './errors.ts';

export const LITERAL_SYMBOLS = 288;
const MAX_BITS = 15;
/** Codes up to here are found by one look: a larger table would cost more than a short block is worth. */
const FAST_BITS = 9;

export class HuffmanCode {
  /** No bits are left over: every sequence of bits starts with a symbol. */
  readonly isComplete: boolean;
  readonly isEmpty: boolean;
  /** One symbol of one bit, which is how a single distance is written. */
  readonly hasOneShortSymbol: boolean;
  /** How many codes have this length. */
  readonly #counts = new Uint16Array(MAX_BITS + 1);
  /** By code length, then by symbol. */
  readonly #symbols: Uint16Array;
  /** `symbol << 4 | length` by the next bits, 0 when the code is longer or none. */
  readonly #fast = new Uint16Array(1 << FAST_BITS);

  /**
   * @param lengths of the code of each symbol, 0 when it has none
   * @throws FormatError INFLATE_FAILED when more codes are given than there are
   */
  constructor(lengths: Uint8Array) {
    for (const length of lengths) this.#counts[length] = (this.#counts[length] ?? 0) + 1;
    this.#counts[0] = 0;
    const nextPlace = new Uint16Array(MAX_BITS + 2);
    const nextCode = new Uint16Array(MAX_BITS + 2);
    let left = 1;
    for (let length = 1; length <= MAX_BITS; length++) {
      const count = this.#counts[length] ?? 0;
      left = left * 2 - count;
      if (left < 0) throw new FormatError('INFLATE_FAILED', 'a Huffman code has too many symbols');
      nextPlace[length + 1] = (nextPlace[length] ?? 0) + count;
      nextCode[length + 1] = ((nextCode[length] ?? 0) + count) << 1;
    }
    const used = nextPlace[MAX_BITS + 1] ?? 0;
    this.isComplete = left === 0;
    this.isEmpty = used === 0;
    this.hasOneShortSymbol = used === 1 && this.#counts[1] === 1;
    this.#symbols = new Uint16Array(used);
    lengths.forEach((length, symbol) => {
      if (length === 0) return;
      const place = nextPlace[length] ?? 0;
      const code = nextCode[length] ?? 0;
      nextPlace[length] = place + 1;
      nextCode[length] = code + 1;
      this.#symbols[place] = symbol;
      if (length <= FAST_BITS) this.#remember(symbol, code, length);
    });
  }

  /** Bits come lowest first, codes are numbered highest first. */
  #remember(symbol: number, code: number, length: number): void {
    let reversed = 0;
    for (let bit = 0; bit < length; bit++) reversed |= ((code >> bit) & 1) << (length - 1 - bit);
    for (let bits = reversed; bits < 1 << FAST_BITS; bits += 1 << length) {
      this.#fast[bits] = (symbol << 4) | length;
    }
  }

  /** @returns `symbol << 4 | length` of the code that `bits` start with, or 0 */
  find(bits: number): number {
    const fast = this.#fast[bits & ((1 << FAST_BITS) - 1)] ?? 0;
    return fast === 0 ? this.#findLong(bits) : fast;
  }

  #findLong(bits: number): number {
    let code = 0;
    let first = 0;
    let place = 0;
    for (let length = 1; length <= MAX_BITS; length++) {
      code |= (bits >>> (length - 1)) & 1;
      const count = this.#counts[length] ?? 0;
      if (code - first < count) return ((this.#symbols[place + code - first] ?? 0) << 4) | length;
      place += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    return 0;
  }
}
