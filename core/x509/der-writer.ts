/** Writes DER (X.690): requests to time stamp authorities, and what a local authority signs. */
import { asciiBytes, concatBytes, joinBytes } from '../bytes.ts';
import { TAG } from './der.ts';

/** Tag, length in its shortest form, and the parts one after the other. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = joinBytes(parts);
  return concatBytes(Uint8Array.of(tag), lengthOf(content.length), content);
}

function lengthOf(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length);
  const bytes = bigEndian(BigInt(length));
  return concatBytes(Uint8Array.of(0x80 | bytes.length), bytes);
}

function bigEndian(value: bigint): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; rest > 0n; rest >>= 8n) bytes.unshift(Number(rest & 0xffn));
  return Uint8Array.from(bytes);
}

export function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return element(TAG.sequence, ...parts);
}

/** Not negative. */
export function integer(value: bigint | number): Uint8Array {
  const bytes = bigEndian(BigInt(value));
  const needsZero = bytes.length === 0 || (bytes[0] ?? 0) >= 0x80;
  return element(TAG.integer, needsZero ? Uint8Array.of(0) : new Uint8Array(0), bytes);
}

/** @param name in dotted decimals */
export function objectId(name: string): Uint8Array {
  const [first = 0n, second = 0n, ...rest] = name.split('.').map(BigInt);
  const bytes = [40n * first + second, ...rest].flatMap((arc) => {
    const groups = [Number(arc & 0x7fn)];
    for (let left = arc >> 7n; left > 0n; left >>= 7n) groups.unshift(Number(left & 0x7fn) | 0x80);
    return groups;
  });
  return element(TAG.oid, Uint8Array.from(bytes));
}

export function octets(bytes: Uint8Array): Uint8Array {
  return element(TAG.octetString, bytes);
}

/** Whole bytes. */
export function bits(bytes: Uint8Array): Uint8Array {
  return element(TAG.bitString, Uint8Array.of(0), bytes);
}

export function truth(): Uint8Array {
  return element(TAG.boolean, Uint8Array.of(0xff));
}

/** @param text ASCII */
export function ascii(tag: number, text: string): Uint8Array {
  return element(tag, asciiBytes(text));
}
