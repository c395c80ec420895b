/**
 * Raw deflate (RFC 1951), undone within a length that is known beforehand.
 * Implements spec/leaf.md, "Storage form". Refuses what zlib refuses, and bytes after the last block.
 *
 * Not a library's: those at hand grow with what the input asks for, so that half a megabyte blocks a
 * reader for seconds, or differ from zlib in what they let pass, so that two verifiers disagree.
 */
import { FormatError } from './errors.ts';
import { HuffmanCode, LITERAL_SYMBOLS } from './huffman-code.ts';

const END_OF_BLOCK = 256;
const CODE_LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const LENGTH_EXTRA = Array.from({ length: 29 }, (_, i) => (i < 8 || i === 28 ? 0 : (i >> 2) - 1));
const LENGTH_BASE = basesOf(3, LENGTH_EXTRA).with(28, 258);
const DISTANCE_EXTRA = Array.from({ length: 30 }, (_, i) => (i < 4 ? 0 : (i >> 1) - 1));
const DISTANCE_BASE = basesOf(1, DISTANCE_EXTRA);

function basesOf(first: number, extraBits: readonly number[]): number[] {
  let base = first;
  return extraBits.map((extra) => {
    base += 1 << extra;
    return base - (1 << extra);
  });
}

const FIXED_LITERALS = new HuffmanCode(
  Uint8Array.from({ length: LITERAL_SYMBOLS }, (_, i) =>
    i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8,
  ),
);
const FIXED_DISTANCES = new HuffmanCode(new Uint8Array(32).fill(5));

/** Inflates once. Work and memory are bounded by the two lengths. */
export class Inflater {
  readonly #body: Uint8Array;
  readonly #out: Uint8Array;
  #at = 0;
  #written = 0;
  /** Bits that were read and not used, the first one lowest. */
  #bits = 0;
  #bitCount = 0;

  constructor(body: Uint8Array, length: number) {
    this.#body = body;
    this.#out = new Uint8Array(length);
  }

  /** @throws FormatError INFLATE_FAILED, INFLATE_LENGTH */
  run(): Uint8Array {
    let isLast = false;
    while (!isLast) {
      isLast = this.#take(1) === 1;
      const type = this.#take(2);
      if (type === 0) this.#stored();
      else if (type === 1) this.#compressed(FIXED_LITERALS, FIXED_DISTANCES);
      else if (type === 2) this.#dynamic();
      else throw damaged();
    }
    if (this.#at - (this.#bitCount >> 3) !== this.#body.length) throw damaged();
    if (this.#written !== this.#out.length) throw this.#wrongLength(`${this.#written}`);
    return this.#out;
  }

  /** Reads ahead as far as there is input. */
  #fill(): void {
    while (this.#bitCount <= 24 && this.#at < this.#body.length) {
      this.#bits |= (this.#body[this.#at] ?? 0) << this.#bitCount;
      this.#at += 1;
      this.#bitCount += 8;
    }
  }

  #drop(count: number): void {
    if (count > this.#bitCount) throw damaged();
    // A shift by 32 would be none.
    this.#bits = count === 32 ? 0 : this.#bits >>> count;
    this.#bitCount -= count;
  }

  /** @param count at most 16 */
  #take(count: number): number {
    if (this.#bitCount < count) this.#fill();
    const value = this.#bits & ((1 << count) - 1);
    this.#drop(count);
    return value;
  }

  #symbol(code: HuffmanCode): number {
    if (this.#bitCount < 15) this.#fill();
    const found = code.find(this.#bits);
    if (found === 0) throw damaged();
    this.#drop(found & 15);
    return found >> 4;
  }

  #stored(): void {
    this.#drop(this.#bitCount & 7);
    const length = this.#take(16);
    if ((length ^ this.#take(16)) !== 0xffff) throw damaged();
    this.#at -= this.#bitCount >> 3;
    this.#bits = 0;
    this.#bitCount = 0;
    if (length > this.#body.length - this.#at) throw damaged();
    this.#reserve(length);
    this.#out.set(this.#body.subarray(this.#at, this.#at + length), this.#written);
    this.#at += length;
    this.#written += length;
  }

  #dynamic(): void {
    const literalCount = this.#take(5) + 257;
    const distanceCount = this.#take(5) + 1;
    const lengthCount = this.#take(4) + 4;
    if (literalCount > 286 || distanceCount > 30) throw damaged();
    const lengthLengths = new Uint8Array(19);
    for (let i = 0; i < lengthCount; i++) lengthLengths[CODE_LENGTH_ORDER[i] ?? 0] = this.#take(3);
    const lengthCode = new HuffmanCode(lengthLengths);
    if (!lengthCode.isComplete) throw damaged();
    const lengths = this.#codeLengths(lengthCode, literalCount + distanceCount);
    const literals = new HuffmanCode(lengths.subarray(0, literalCount));
    const distances = new HuffmanCode(lengths.subarray(literalCount));
    const isUsable = literals.isComplete || literals.hasOneShortSymbol;
    const reaches = distances.isComplete || distances.hasOneShortSymbol || distances.isEmpty;
    if (!isUsable || !reaches || lengths[END_OF_BLOCK] === 0) throw damaged();
    this.#compressed(literals, distances);
  }

  #codeLengths(code: HuffmanCode, count: number): Uint8Array {
    const lengths = new Uint8Array(count);
    let at = 0;
    while (at < count) {
      const symbol = this.#symbol(code);
      if (symbol < 16) {
        lengths[at] = symbol;
        at += 1;
        continue;
      }
      if (symbol === 16 && at === 0) throw damaged();
      const repeated = symbol === 16 ? (lengths[at - 1] ?? 0) : 0;
      const times =
        symbol === 16 ? 3 + this.#take(2) : symbol === 17 ? 3 + this.#take(3) : 11 + this.#take(7);
      if (at + times > count) throw damaged();
      lengths.fill(repeated, at, at + times);
      at += times;
    }
    return lengths;
  }

  #compressed(literals: HuffmanCode, distances: HuffmanCode): void {
    for (;;) {
      const symbol = this.#literals(literals);
      if (symbol === END_OF_BLOCK) return;
      this.#copy(symbol - END_OF_BLOCK - 1, distances);
    }
  }

  /** Writes bytes up to the next symbol that is none; in local variables, since this is the hot loop. */
  #literals(code: HuffmanCode): number {
    const body = this.#body;
    const out = this.#out;
    let at = this.#at;
    let bits = this.#bits;
    let bitCount = this.#bitCount;
    let written = this.#written;
    for (;;) {
      while (bitCount <= 24 && at < body.length) {
        bits |= (body[at] ?? 0) << bitCount;
        at += 1;
        bitCount += 8;
      }
      const found = code.find(bits);
      const length = found & 15;
      if (found === 0 || length > bitCount) throw damaged();
      bits >>>= length;
      bitCount -= length;
      const symbol = found >> 4;
      if (symbol >= END_OF_BLOCK) {
        this.#at = at;
        this.#bits = bits;
        this.#bitCount = bitCount;
        this.#written = written;
        return symbol;
      }
      if (written === out.length) throw this.#wrongLength('more');
      out[written] = symbol;
      written += 1;
    }
  }

  #copy(lengthSymbol: number, distances: HuffmanCode): void {
    const lengthBase = LENGTH_BASE[lengthSymbol];
    if (lengthBase === undefined) throw damaged();
    const length = lengthBase + this.#take(LENGTH_EXTRA[lengthSymbol] ?? 0);
    const distanceSymbol = this.#symbol(distances);
    const distanceBase = DISTANCE_BASE[distanceSymbol];
    if (distanceBase === undefined) throw damaged();
    const distance = distanceBase + this.#take(DISTANCE_EXTRA[distanceSymbol] ?? 0);
    if (distance > this.#written) throw damaged();
    this.#reserve(length);
    const out = this.#out;
    let to = this.#written;
    for (const end = to + length; to < end; to++) out[to] = out[to - distance] ?? 0;
    this.#written = to;
  }

  #reserve(length: number): void {
    if (this.#written + length > this.#out.length) throw this.#wrongLength('more');
  }

  #wrongLength(got: string): FormatError {
    return new FormatError(
      'INFLATE_LENGTH',
      `expected ${this.#out.length} bytes after inflating, got ${got}`,
    );
  }
}

function damaged(): FormatError {
  return new FormatError('INFLATE_FAILED', 'the compressed payload of a leaf is damaged');
}
