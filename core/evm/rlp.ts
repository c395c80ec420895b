/**
 * Recursive Length Prefix: bytes to nested lists of byte strings and back, one encoding per value.
 * Implements spec/evm-proofs.md, "RLP" (Ethereum Yellow Paper, appendix B).
 */
import { concatBytes } from '../bytes.ts';
import { FormatError } from '../errors.ts';

export type RlpItem = Uint8Array | readonly RlpItem[];

/**
 * Lists in lists in lists in lists: a trie node with nodes embedded in it is the deepest structure
 * read here, and fewer than 32 bytes cannot hold more than extension, branch and leaf below it.
 */
const MAX_RLP_DEPTH = 4;

/** What one prefix byte and its length bytes say: a payload that starts at `at` and ends before `end`. */
type Span = { readonly isList: boolean; readonly at: number; readonly end: number };

/**
 * Returns the one item that `bytes` encode. Byte strings are views into `bytes`, not copies.
 * From a bundle or the network: every length is checked before it is believed.
 * @throws FormatError RLP_TOO_LARGE, RLP_TRUNCATED, RLP_NON_CANONICAL, RLP_TOO_DEEP, RLP_TRAILING_BYTES
 */
export function decodeRlp(bytes: Uint8Array, maxBytes: number): RlpItem {
  if (bytes.length > maxBytes) {
    throw new FormatError(
      'RLP_TOO_LARGE',
      `expected at most ${maxBytes} bytes of RLP, got ${bytes.length}`,
    );
  }
  const span = readSpan(bytes, 0, bytes.length);
  if (span.end !== bytes.length) {
    const extra = bytes.length - span.end;
    throw new FormatError(
      'RLP_TRAILING_BYTES',
      `expected the end after the RLP item, got ${extra} more bytes`,
    );
  }
  return readItem(bytes, span, 1);
}

function readItem(bytes: Uint8Array, span: Span, depth: number): RlpItem {
  if (!span.isList) return bytes.subarray(span.at, span.end);
  if (depth > MAX_RLP_DEPTH) {
    throw new FormatError(
      'RLP_TOO_DEEP',
      `expected at most ${MAX_RLP_DEPTH} lists inside each other, got more`,
    );
  }
  const items: RlpItem[] = [];
  for (let at = span.at; at < span.end; ) {
    const child = readSpan(bytes, at, span.end);
    items.push(readItem(bytes, child, depth + 1));
    at = child.end;
  }
  return items;
}

function readSpan(bytes: Uint8Array, at: number, limit: number): Span {
  const prefix = byteAt(bytes, at, limit);
  if (prefix < 0x80) return { isList: false, at, end: at + 1 };
  const isList = prefix >= 0xc0;
  const short = prefix - (isList ? 0xc0 : 0x80);
  const lengthBytes = Math.max(0, short - 55);
  const length = lengthBytes === 0 ? short : readLength(bytes, at + 1, lengthBytes, limit);
  const start = at + 1 + lengthBytes;
  if (length > limit - start) {
    throw new FormatError(
      'RLP_TRUNCATED',
      `expected ${length} bytes of payload, got ${limit - start}`,
    );
  }
  if (!isList && length === 1 && byteAt(bytes, start, limit) < 0x80) {
    throw new FormatError(
      'RLP_NON_CANONICAL',
      'expected a byte below 0x80 to stand for itself, got it behind a prefix',
    );
  }
  return { isList, at: start, end: start + length };
}

/** The length of a payload of 56 bytes or more. */
function readLength(bytes: Uint8Array, at: number, lengthBytes: number, limit: number): number {
  if (byteAt(bytes, at, limit) === 0) {
    throw new FormatError('RLP_NON_CANONICAL', 'expected a length without leading zeros');
  }
  let length = 0;
  // Eight length bytes may pass 2^53: the sum is then inexact, but still far past any input.
  for (let i = 0; i < lengthBytes; i++) length = length * 256 + byteAt(bytes, at + i, limit);
  if (length < 56) {
    throw new FormatError(
      'RLP_NON_CANONICAL',
      `expected a length of ${length} in the prefix byte itself`,
    );
  }
  return length;
}

function byteAt(bytes: Uint8Array, at: number, limit: number): number {
  const byte = at < limit ? bytes[at] : undefined;
  if (byte === undefined) {
    throw new FormatError('RLP_TRUNCATED', `expected a byte at ${at}, got the end`);
  }
  return byte;
}

export function encodeRlp(item: RlpItem): Uint8Array {
  if (item instanceof Uint8Array) {
    const [first] = item;
    const standsForItself = item.length === 1 && first !== undefined && first < 0x80;
    return standsForItself ? item.slice() : concatBytes(prefixBytes(0x80, item.length), item);
  }
  const payload = concatBytes(...item.map(encodeRlp));
  return concatBytes(prefixBytes(0xc0, payload.length), payload);
}

function prefixBytes(base: number, length: number): Uint8Array {
  if (length < 56) return Uint8Array.of(base + length);
  const lengthBytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) lengthBytes.unshift(rest % 256);
  return Uint8Array.of(base + 55 + lengthBytes.length, ...lengthBytes);
}
