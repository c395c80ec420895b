/**
 * The one strict CBOR codec (RFC 8949): integers, byte strings, text strings and arrays, nothing else.
 * Implements spec/encoding.md; the only importer of the CBOR library.
 *
 * Reading is the library's, behind a scan of the shape: by itself it acts on tags, is quadratic on
 * bignums and accepts what is not canonical. Writing is our own, since the library has no shortest form
 * for -2^32 to -2^31 - 1. The two share no code, and what is read must be written alike.
 */
import { Decoder } from 'cbor-x';
import { equalBytes } from './bytes.ts';
import { FormatError } from './errors.ts';

/** Decoded integers are `number` up to 2^53-1 in magnitude, `bigint` beyond. */
export type CborValue = number | bigint | string | Uint8Array | readonly CborValue[];

/** Cap on one encoded item; larger things are sections of a bundle, not one item. */
export const MAX_ITEM_BYTES = 1 << 20;
/** Cap on the values in one item, arrays included: an empty array is one byte here and forty in memory. */
const MAX_VALUES = 1 << 19;
const MAX_DEPTH = 8;

const BYTE_ORDER_MARK = '\ufeff';
const toUtf8 = new TextEncoder();
const fromUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws FormatError CBOR_INTEGER_RANGE, CBOR_TEXT */
export function encodeCbor(value: CborValue): Uint8Array {
  writer.begin();
  writer.item(value);
  return writer.written();
}

/** `prefix`, which is CBOR's beginning already, and the item behind it: one copy where joining them makes three. */
export function encodeCborBehind(prefix: Uint8Array, value: CborValue): Uint8Array {
  writer.begin();
  writer.raw(prefix);
  writer.item(value);
  return writer.written();
}

/**
 * Decodes exactly one item that fills `bytes`.
 * @throws FormatError CBOR_TOO_LARGE, CBOR_TRUNCATED, CBOR_TOO_DEEP, CBOR_TOO_MANY, CBOR_TYPE_REFUSED,
 *   CBOR_INTEGER_RANGE, CBOR_TEXT, CBOR_TRAILING_BYTES, CBOR_NOT_CANONICAL
 */
export function decodeCbor(bytes: Uint8Array, maxBytes: number = MAX_ITEM_BYTES): CborValue {
  if (bytes.length > maxBytes) {
    throw new FormatError(
      'CBOR_TOO_LARGE',
      `expected at most ${maxBytes} bytes, got ${bytes.length}`,
    );
  }
  const scan = new ItemScan(bytes);
  scan.item(0);
  if (scan.at !== bytes.length) {
    throw new FormatError('CBOR_TRAILING_BYTES', `expected ${scan.at} bytes, got ${bytes.length}`);
  }
  const value = plain(library.decode(bytes));
  writer.begin();
  writer.item(value);
  if (!equalBytes(writer.view(), bytes)) throw notCanonical();
  return value;
}

const library = new Decoder({ useRecords: false, mapsAsObjects: false });

/** The library's values as ours: copies of bytes, and a bigint only where a number is not exact. */
function plain(value: unknown): CborValue {
  if (typeof value === 'bigint') {
    return value >= -0x1f_ffff_ffff_ffffn && value <= 0x1f_ffff_ffff_ffffn ? Number(value) : value;
  }
  if (typeof value === 'number' || typeof value === 'string') return value;
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(plain);
  throw new TypeError('the scan let a value through that is none of ours');
}

const UNSIGNED = 0;
const NEGATIVE = 1;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;

/** What a writer keeps for the next item: more than any record needs. */
const KEPT_BYTES = 1 << 16;

class ItemWriter {
  #out = new Uint8Array(1 << 12);
  #view = new DataView(this.#out.buffer);
  #at = 0;

  begin(): void {
    this.#at = 0;
    if (this.#out.length > KEPT_BYTES) this.#take(new Uint8Array(KEPT_BYTES));
  }

  /** A copy of its own. */
  written(): Uint8Array {
    return this.#out.slice(0, this.#at);
  }

  /** The same bytes until the next item is begun. */
  view(): Uint8Array {
    return this.#out.subarray(0, this.#at);
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#out.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  item(value: CborValue): void {
    if (typeof value === 'number' || typeof value === 'bigint') this.#integer(value);
    else if (typeof value === 'string') this.#string(TEXT, textBytes(value));
    else if (value instanceof Uint8Array) this.#string(BYTES, value);
    else {
      this.#head(ARRAY, value.length);
      for (const element of value) this.item(element);
    }
  }

  #integer(value: number | bigint): void {
    const fits =
      typeof value === 'number'
        ? Number.isSafeInteger(value)
        : value >= -0x8000_0000_0000_0000n && value <= 0xffff_ffff_ffff_ffffn;
    if (!fits) {
      throw new FormatError('CBOR_INTEGER_RANGE', `expected a 64-bit integer, got ${value}`);
    }
    if (value >= 0) this.#head(UNSIGNED, value);
    else this.#head(NEGATIVE, typeof value === 'number' ? -1 - value : -1n - value);
  }

  #string(major: number, bytes: Uint8Array): void {
    this.#head(major, bytes.length);
    this.raw(bytes);
  }

  /** The shortest that holds the argument. */
  #head(major: number, argument: number | bigint): void {
    this.#reserve(9);
    const at = this.#at;
    const info =
      argument < 24
        ? Number(argument)
        : argument < 0x100
          ? 24
          : argument < 0x10000
            ? 25
            : argument < 0x1_0000_0000
              ? 26
              : 27;
    this.#out[at] = (major << 5) | info;
    if (info === 24) this.#view.setUint8(at + 1, Number(argument));
    else if (info === 25) this.#view.setUint16(at + 1, Number(argument));
    else if (info === 26) this.#view.setUint32(at + 1, Number(argument));
    else if (info === 27) this.#view.setBigUint64(at + 1, BigInt(argument));
    this.#at = at + 1 + (info < 24 ? 0 : 1 << (info - 24));
  }

  #reserve(length: number): void {
    if (this.#at + length <= this.#out.length) return;
    const larger = new Uint8Array(Math.max(this.#out.length * 2, this.#at + length));
    larger.set(this.#out.subarray(0, this.#at));
    this.#take(larger);
  }

  #take(memory: Uint8Array<ArrayBuffer>): void {
    this.#out = memory;
    this.#view = new DataView(memory.buffer);
  }
}

/** One for all items: records are written for every chunk and block, and memory of their own costs more than they do. */
const writer = new ItemWriter();

function textBytes(value: string): Uint8Array {
  // Half of a surrogate pair has no UTF-8.
  if (/\p{Surrogate}/u.test(value)) throw new FormatError('CBOR_TEXT', 'expected Unicode text');
  if (value.startsWith(BYTE_ORDER_MARK)) throw byteOrderMark();
  return toUtf8.encode(value);
}

/** Walks one item by its heads: everything that could make the library work hard or act is refused here. */
class ItemScan {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #values = 0;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  item(depth: number): void {
    this.#values += 1;
    if (this.#values > MAX_VALUES) {
      throw new FormatError('CBOR_TOO_MANY', `expected at most ${MAX_VALUES} values in one item`);
    }
    const head = this.#bytes[this.at];
    if (head === undefined) throw truncated('expected an item, got the end');
    const major = head >> 5;
    if (major > ARRAY || (head & 31) > 27) {
      throw new FormatError(
        'CBOR_TYPE_REFUSED',
        'expected integers, byte strings, texts and arrays of definite length',
      );
    }
    this.at += 1;
    const argument = this.#argument(head & 31);
    if (major === UNSIGNED) return;
    if (major === NEGATIVE) requireInt64(argument);
    else if (argument > this.#bytes.length - this.at) {
      // An array element takes at least one byte, so one bound serves strings and arrays.
      throw truncated(`expected ${argument} more, got ${this.#bytes.length - this.at}`);
    } else if (major === ARRAY) this.#array(Number(argument), depth + 1);
    else {
      this.at += Number(argument);
      if (major === TEXT) requireText(this.#bytes.subarray(this.at - Number(argument), this.at));
    }
  }

  #array(length: number, depth: number): void {
    if (depth > MAX_DEPTH) {
      throw new FormatError('CBOR_TOO_DEEP', `expected at most ${MAX_DEPTH} levels of arrays`);
    }
    for (let i = 0; i < length; i++) this.item(depth);
  }

  #argument(info: number): number | bigint {
    if (info < 24) return info;
    const width = 1 << (info - 24);
    const start = this.at;
    if (start + width > this.#bytes.length) throw truncated('expected a longer head');
    this.at += width;
    const argument =
      width === 1
        ? this.#view.getUint8(start)
        : width === 2
          ? this.#view.getUint16(start)
          : width === 4
            ? this.#view.getUint32(start)
            : this.#view.getBigUint64(start);
    // Here and not only when it is written again: the first broken rule in reading order gives the code.
    if (argument < (width === 1 ? 24 : 2 ** (4 * width))) throw notCanonical();
    return argument;
  }
}

function requireInt64(argument: number | bigint): void {
  if (argument > 0x7fff_ffff_ffff_ffffn) {
    throw new FormatError('CBOR_INTEGER_RANGE', `expected a 64-bit integer, got -1 - ${argument}`);
  }
}

/** @throws FormatError CBOR_TEXT for what is no UTF-8, and for a byte order mark, which readers drop or keep */
function requireText(bytes: Uint8Array): void {
  let decoded: string;
  try {
    decoded = fromUtf8.decode(bytes);
  } catch (cause) {
    throw new FormatError('CBOR_TEXT', 'expected valid UTF-8', { cause });
  }
  if (decoded.startsWith(BYTE_ORDER_MARK)) throw byteOrderMark();
}

function byteOrderMark(): FormatError {
  return new FormatError('CBOR_TEXT', 'expected a text without a byte order mark');
}

function truncated(message: string): FormatError {
  return new FormatError('CBOR_TRUNCATED', message);
}

function notCanonical(): FormatError {
  return new FormatError('CBOR_NOT_CANONICAL', 'expected the shortest encoding');
}
