/**
 * Evidence bundle `.wmk`: sections of items in fixed order, and a digest that detects damage.
 * Implements spec/bundle.md. Reads structure only; what the items prove is the verifier's work.
 */
import { asciiBytes, concatBytes, equalBytes, joinBytes } from './bytes.ts';
import { FormatError } from './errors.ts';
import { type Hash, sha256 } from './hash.ts';
import { ByteReader, writeVarint } from './varint.ts';

const MAGIC = asciiBytes('wmk-ev0\n');
const DIGEST_BYTES = 32;
export const MAX_BUNDLE_BYTES = 1 << 30;
/** Of one section: twelve days of chunks. */
export const MAX_ITEMS = 1 << 20;

/** Sections by number, in the order of the file. */
export const SECTION = {
  sessions: 1,
  headers: 2,
  blocks: 3,
  streams: 4,
  leaves: 5,
  statements: 6,
  inclusions: 7,
  windows: 8,
  stamps: 9,
  links: 10,
  enrolments: 11,
  registry: 12,
  grants: 13,
  custody: 14,
  forkProofs: 15,
  brokenPromises: 16,
  acceptances: 17,
} as const;

export type SectionName = keyof typeof SECTION;

/** A reader may pass over unknown sections from here on, and must say so; below, it refuses them. */
const FIRST_OPTIONAL_SECTION = 64;

export type Sections = Readonly<Record<SectionName, readonly Uint8Array[]>>;

export type BundleParts = {
  readonly sections: Sections;
  readonly unknownSections: readonly number[];
  /** False when a byte was changed and the digest was not computed again. */
  readonly digestMatches: boolean;
};

/** Empty sections are left out. */
export function encodeBundle(sections: Partial<Sections>, hash: Hash = sha256): Uint8Array {
  const parts: Uint8Array[] = [MAGIC];
  for (const [name, number] of Object.entries(SECTION) as [SectionName, number][]) {
    const items = sections[name] ?? [];
    if (items.length > 0) parts.push(encodeSection(number, items));
  }
  const body = joinBytes(parts);
  return concatBytes(body, hash(body));
}

function encodeSection(number: number, items: readonly Uint8Array[]): Uint8Array {
  const content = joinBytes(items.flatMap((item) => [varint(item.length), item]));
  return concatBytes(Uint8Array.of(number), varint(content.length), content);
}

function varint(value: number): Uint8Array {
  const out = new Uint8Array(8);
  return out.slice(0, writeVarint(out, 0, value));
}

/**
 * Items are views into `bytes`.
 * @throws FormatError BUNDLE_TOO_LARGE, BUNDLE_MAGIC, BUNDLE_TRUNCATED, BUNDLE_SECTION_ORDER, BUNDLE_SECTION_UNKNOWN, BUNDLE_ITEMS
 */
export function decodeBundle(bytes: Uint8Array, hash: Hash = sha256): BundleParts {
  if (bytes.length > MAX_BUNDLE_BYTES) {
    throw new FormatError('BUNDLE_TOO_LARGE', `expected at most ${MAX_BUNDLE_BYTES} bytes`);
  }
  if (!equalBytes(bytes.subarray(0, MAGIC.length), MAGIC)) {
    throw new FormatError('BUNDLE_MAGIC', 'expected an evidence bundle of version 0');
  }
  const end = bytes.length - DIGEST_BYTES;
  if (end < MAGIC.length) throw new FormatError('BUNDLE_TRUNCATED', 'expected a digest at the end');
  const body = bytes.subarray(0, end);
  const digestMatches = equalBytes(hash(body), bytes.subarray(end));
  return { ...readSections(body.subarray(MAGIC.length)), digestMatches };
}

function readSections(body: Uint8Array): Omit<BundleParts, 'digestMatches'> {
  const byNumber = new Map<number, readonly Uint8Array[]>();
  const unknownSections: number[] = [];
  const known: readonly number[] = Object.values(SECTION);
  const reader = new ByteReader(body, 'BUNDLE_TRUNCATED');
  let previous = 0;
  while (reader.remaining > 0) {
    const number = reader.byte();
    if (number <= previous) {
      throw new FormatError('BUNDLE_SECTION_ORDER', `section ${number} stands after ${previous}`);
    }
    previous = number;
    const content = reader.take(reader.varint());
    if (known.includes(number)) byNumber.set(number, readItems(content));
    else if (number >= FIRST_OPTIONAL_SECTION) unknownSections.push(number);
    else throw new FormatError('BUNDLE_SECTION_UNKNOWN', `section ${number} is not known`);
  }
  const sections = Object.fromEntries(
    Object.entries(SECTION).map(([name, number]) => [name, byNumber.get(number) ?? []]),
  ) as Record<SectionName, readonly Uint8Array[]>;
  return { sections, unknownSections };
}

function readItems(content: Uint8Array): readonly Uint8Array[] {
  const items: Uint8Array[] = [];
  const reader = new ByteReader(content, 'BUNDLE_TRUNCATED');
  while (reader.remaining > 0) {
    if (items.length === MAX_ITEMS) throw new FormatError('BUNDLE_ITEMS', 'too many items');
    items.push(reader.take(reader.varint()));
  }
  if (items.length === 0) {
    throw new FormatError('BUNDLE_ITEMS', 'expected empty sections to be left out');
  }
  return items;
}
