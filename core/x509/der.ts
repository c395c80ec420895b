/**
 * DER, read strictly (X.690, section 10): definite lengths in their shortest form, tags of one byte, nothing left over.
 * Implements spec/time-stamp.md, "DER". A cursor and not a tree: what a signature covers is taken from the very bytes,
 * and the work is bounded by the input.
 */
import { toHex } from '../bytes.ts';
import { FormatError } from '../errors.ts';

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Context-specific tag of an implicit primitive. */
export const primitiveTag = (number: number): number => 0x80 | number;
/** Context-specific tag of an explicit or a constructed element. */
export const constructedTag = (number: number): number => 0xa0 | number;

export type Der = {
  readonly tag: number;
  readonly content: Uint8Array;
  /** Tag, length and content: what is hashed and compared. */
  readonly bytes: Uint8Array;
};

export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #what: string;
  #at = 0;

  /** @param what for the sentence of an error */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** Of the next element; undefined at the end. */
  get nextTag(): number | undefined {
    return this.#bytes[this.#at];
  }

  /** @throws FormatError DER_MALFORMED */
  any(): Der {
    const { tag, start, end } = this.#head();
    const bytes = this.#bytes.subarray(this.#at, end);
    const content = this.#bytes.subarray(start, end);
    this.#at = end;
    return { tag, content, bytes };
  }

  /** @throws FormatError DER_MALFORMED when the next element has another tag */
  next(tag: number): Der {
    if (this.nextTag !== tag) throw this.#malformed(`expected tag ${tag}, got ${this.nextTag}`);
    return this.any();
  }

  optional(tag: number): Der | undefined {
    return this.nextTag === tag ? this.any() : undefined;
  }

  /** A reader of what is inside the next element. */
  inside(tag: number): DerReader {
    return new DerReader(this.next(tag).content, this.#what);
  }

  insideOptional(tag: number): DerReader | undefined {
    return this.nextTag === tag ? this.inside(tag) : undefined;
  }

  /** A reader of what is inside the last element. @throws FormatError DER_MALFORMED when another follows */
  only(tag: number): DerReader {
    const inside = this.inside(tag);
    this.end();
    return inside;
  }

  /** Everything up to the end, each by `read`. */
  all<T>(read: (reader: DerReader) => T): readonly T[] {
    const items: T[] = [];
    while (!this.isAtEnd) items.push(read(this));
    return items;
  }

  /** @throws FormatError DER_MALFORMED when something is left */
  end(): void {
    if (!this.isAtEnd) throw this.#malformed(`${this.#bytes.length - this.#at} bytes left over`);
  }

  #head(): { readonly tag: number; readonly start: number; readonly end: number } {
    const tag = this.#bytes[this.#at];
    const first = this.#bytes[this.#at + 1];
    if (tag === undefined || first === undefined) throw this.#malformed('it ends too early');
    if ((tag & 0x1f) === 0x1f) throw this.#malformed('a tag of several bytes');
    let start = this.#at + 2;
    let length = first;
    if (first >= 0x80) {
      const count = first & 0x7f;
      // None is an indefinite length, which DER does not have.
      if (count === 0 || count > 4) throw this.#malformed(`a length of ${count} bytes`);
      length = 0;
      for (const byte of this.#bytes.subarray(start, start + count)) length = length * 256 + byte;
      start += count;
      const shortest = length < 0x80 ? 0 : Math.ceil(Math.log2(length + 1) / 8);
      if (shortest !== count) throw this.#malformed('a length that is not in its shortest form');
    }
    const end = start + length;
    if (end > this.#bytes.length) throw this.#malformed('it ends too early');
    return { tag, start, end };
  }

  #malformed(why: string): FormatError {
    return new FormatError('DER_MALFORMED', `${this.#what} is not DER: ${why}`);
  }
}

/** Exactly one element and nothing after it. @throws FormatError DER_MALFORMED */
export function readDer(bytes: Uint8Array, tag: number, what: string): DerReader {
  return new DerReader(bytes, what).only(tag);
}

function malformed(what: string): FormatError {
  return new FormatError('DER_MALFORMED', `expected ${what} in DER`);
}

/** The content of an integer of any size and sign, as it stands. @throws FormatError DER_MALFORMED */
export function integerBytes({ content }: Der): Uint8Array {
  const [first, second] = content;
  const isPadded =
    second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80));
  if (first === undefined || isPadded) throw malformed('an integer in its shortest form');
  return content;
}

/** Not negative. @throws FormatError DER_MALFORMED */
export function unsigned({ content }: Der): bigint {
  const [first = 0x80, second = 0x80] = content;
  if (first >= 0x80 || (first === 0 && content.length > 1 && second < 0x80)) {
    throw malformed('an integer that is not negative, in its shortest form');
  }
  return BigInt(`0x${toHex(content)}`);
}

/** For counts and versions. @throws FormatError DER_MALFORMED above `max` */
export function smallUnsigned(element: Der, max: number): number {
  const value = element.content.length > 8 ? undefined : unsigned(element);
  if (value === undefined || value > BigInt(max)) throw malformed(`an integer up to ${max}`);
  return Number(value);
}

/** @throws FormatError DER_MALFORMED */
export function boolean({ content }: Der): boolean {
  const [value] = content;
  if (content.length !== 1 || (value !== 0 && value !== 0xff)) throw malformed('a boolean');
  return value === 0xff;
}

const MAX_OID_BYTES = 64;

/** In dotted decimals. @throws FormatError DER_MALFORMED */
export function oid({ content }: Der): string {
  const last = content.at(-1);
  if (last === undefined || last >= 0x80 || content.length > MAX_OID_BYTES) {
    throw malformed('an object identifier');
  }
  const arcs: bigint[] = [];
  let arc = 0n;
  let isFirstByte = true;
  for (const byte of content) {
    if (isFirstByte && byte === 0x80) throw malformed('an object identifier in its shortest form');
    arc = (arc << 7n) | BigInt(byte & 0x7f);
    isFirstByte = byte < 0x80;
    if (isFirstByte) {
      arcs.push(arc);
      arc = 0n;
    }
  }
  const [root = 0n, ...rest] = arcs;
  const top = root >= 80n ? 2n : root / 40n;
  return [top, root - 40n * top, ...rest].join('.');
}

/** Without unused bits. @throws FormatError DER_MALFORMED */
export function wholeBytes({ content }: Der): Uint8Array {
  if (content[0] !== 0) throw malformed('a bit string of whole bytes');
  return content.subarray(1);
}

/** Named bits, bit 0 first; false beyond the end. @throws FormatError DER_MALFORMED */
export function namedBits({ content }: Der): (bit: number) => boolean {
  const [unused = 8] = content;
  if (unused > 7 || (content.length === 1 && unused > 0)) throw malformed('a bit string');
  return (bit) => ((content[1 + (bit >> 3)] ?? 0) & (0x80 >> (bit & 7))) !== 0;
}
