/**
 * Deflate (RFC 1951) for short payloads: one block, with the codes that the format itself fixes. A leaf of a second has
 * some hundred bytes; codes of its own would mostly cost more than they save, and finding that out is nearly all that
 * zlib does with it. What is written here any inflater reads.
 *
 * hw/native/seal-short-deflate.cc writes the same bytes (tested), so a change here is a change there.
 */

/** Positions and distances of the tables below; beyond, codes of a payload's own begin to pay. */
export const MAX_SHORT_BYTES = 512;

const MIN_MATCH = 3;
const MAX_MATCH = 258;
/** How many earlier places are tried: more find next to nothing in so few bytes. */
const MAX_TRIES = 16;
/** So long a match is taken at once; behind a shorter one, a longer one may begin a byte later. */
const LONG_MATCH = 32;
const HASH_BITS = 9;
const END_OF_BLOCK = 256;
const FIRST_LENGTH = 257;

/** Bits as they are written, the first one lowest, and how many. */
type Codes = { readonly bits: Uint16Array; readonly widths: Uint8Array };

const literals = codes(END_OF_BLOCK + 1, (symbol) => literalCode(symbol));
/** By length: code and extra bits. */
const lengths = codes(MAX_MATCH + 1, (length) => {
  if (length < MIN_MATCH) return { bits: 0, width: 0 };
  // The longest has a code without extra bits to itself.
  if (length === MAX_MATCH) return literalCode(285);
  const { step, extraBits, extra } = split(length - MIN_MATCH, 2);
  return withExtra(literalCode(FIRST_LENGTH + step), extra, extraBits);
});
/** By distance: code and extra bits. */
const distances = codes(MAX_SHORT_BYTES + 1, (distance) => {
  if (distance === 0) return { bits: 0, width: 0 };
  const { step, extraBits, extra } = split(distance - 1, 1);
  return withExtra({ bits: reversed(step, 5), width: 5 }, extra, extraBits);
});

type Code = { readonly bits: number; readonly width: number };

function codes(count: number, codeOf: (value: number) => Code): Codes {
  const bits = new Uint16Array(count);
  const widths = new Uint8Array(count);
  for (let value = 0; value < count; value++) {
    const code = codeOf(value);
    bits[value] = code.bits;
    widths[value] = code.width;
  }
  return { bits, widths };
}

/** RFC 1951, 3.2.6: literals, end of block and lengths share one fixed alphabet. */
function literalCode(symbol: number): Code {
  if (symbol < 144) return { bits: reversed(0x30 + symbol, 8), width: 8 };
  if (symbol < 256) return { bits: reversed(0x190 + symbol - 144, 9), width: 9 };
  if (symbol < 280) return { bits: reversed(symbol - 256, 7), width: 7 };
  return { bits: reversed(0xc0 + symbol - 280, 8), width: 8 };
}

/** RFC 1951, 3.2.5: `1 << bits` codes for each power of two, so that each code covers a part of it by extra bits. */
function split(value: number, bits: number) {
  const top = 31 - Math.clz32(value);
  if (top < bits) return { step: value, extraBits: 0, extra: 0 };
  const extraBits = top - bits;
  const step = (extraBits << bits) + (value >> extraBits);
  return { step, extraBits, extra: value & ((1 << extraBits) - 1) };
}

/** Codes begin with their highest bit, extra bits with their lowest. */
function withExtra({ bits, width }: Code, extra: number, extraBits: number): Code {
  return { bits: bits | (extra << width), width: width + extraBits };
}

function reversed(code: number, width: number): number {
  let bits = 0;
  for (let i = 0; i < width; i++) bits |= ((code >> i) & 1) << (width - 1 - i);
  return bits;
}

/** Of the newest place with this hash, plus one; 0 is none. And for each place the one before it of the same hash. */
const newest = new Uint16Array(1 << HASH_BITS);
const before = new Uint16Array(MAX_SHORT_BYTES);
/** Every literal in nine bits, and what a block has around them. */
const out = new Uint8Array(Math.ceil((MAX_SHORT_BYTES * 9) / 8) + 8);

/** At most `MAX_SHORT_BYTES`. @returns a view that holds until the next call; undefined when nothing is saved */
export function deflateShort(payload: Uint8Array): Uint8Array | undefined {
  newest.fill(0);
  const writer = new BitWriter();
  writer.write(0b011, 3); // the last block, fixed codes
  let at = 0;
  let match = longestMatch(payload, 0);
  while (at < payload.length) {
    const { length, distance } = match;
    remember(payload, at);
    const next = length < LONG_MATCH ? longestMatch(payload, at + 1) : NO_MATCH;
    if (length === 0 || next.length > length) {
      writer.writeCode(literals, payload[at] ?? 0);
      at += 1;
      match = next;
      continue;
    }
    writer.writeCode(lengths, length);
    writer.writeCode(distances, distance);
    for (let i = 1; i < length; i++) remember(payload, at + i);
    at += length;
    match = longestMatch(payload, at);
  }
  writer.writeCode(literals, END_OF_BLOCK);
  const written = writer.finish();
  return written < payload.length ? out.subarray(0, written) : undefined;
}

type Match = { readonly length: number; readonly distance: number };
const NO_MATCH: Match = { length: 0, distance: 0 };

/** Among what is remembered; of equally long ones the nearest. */
function longestMatch(payload: Uint8Array, at: number): Match {
  const most = Math.min(MAX_MATCH, payload.length - at);
  if (most < MIN_MATCH) return NO_MATCH;
  let length = MIN_MATCH - 1;
  let distance = 0;
  let place = newest[hashAt(payload, at)] ?? 0;
  for (let tries = MAX_TRIES; place > 0 && tries > 0; tries--) {
    const from = place - 1;
    let same = 0;
    while (same < most && payload[from + same] === payload[at + same]) same += 1;
    if (same > length) {
      length = same;
      distance = at - from;
    }
    place = before[from] ?? 0;
  }
  return distance === 0 ? NO_MATCH : { length, distance };
}

function remember(payload: Uint8Array, at: number): void {
  if (at + MIN_MATCH > payload.length) return;
  const hash = hashAt(payload, at);
  before[at] = newest[hash] ?? 0;
  newest[hash] = at + 1;
}

function hashAt(payload: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0] = [payload[at], payload[at + 1], payload[at + 2]];
  return Math.imul(a | (b << 8) | (c << 16), 0x9e37_79b1) >>> (32 - HASH_BITS);
}

/** Into `out`, the first bit lowest. */
class BitWriter {
  #bits = 0;
  #count = 0;
  #at = 0;

  writeCode(table: Codes, value: number): void {
    this.write(table.bits[value] ?? 0, table.widths[value] ?? 0);
  }

  /** At most 16 at a time. */
  write(bits: number, count: number): void {
    this.#bits |= bits << this.#count;
    this.#count += count;
    for (; this.#count >= 8; this.#count -= 8) {
      out[this.#at++] = this.#bits;
      this.#bits >>>= 8;
    }
  }

  /** @returns how many bytes were written */
  finish(): number {
    if (this.#count > 0) out[this.#at++] = this.#bits;
    return this.#at;
  }
}
