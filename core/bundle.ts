/**
 * Evidence bundle `.wmk`: sections of items in fixed order, and a digest that detects damage.
 * Implements spec/bundle.md. Reads structure only; what the items prove is the verifier's work.
 */
import { asciiBytes, concatBytes, equalBytes, joinBytes } from './bytes.ts';
import { FormatError } from './errors.ts';
import { type Hash, sha256 } from './hash.ts';
import { decodeSections, encodeSections } from './sections.ts';

const MAGIC = asciiBytes('wmk-ev0\n');
const DIGEST_BYTES = 32;
export const MAX_BUNDLE_BYTES = 1 << 30;

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

export type Sections = Readonly<Record<SectionName, readonly Uint8Array[]>>;

export type BundleParts = {
  readonly sections: Sections;
  readonly unknownSections: readonly number[];
  /** False when a byte was changed and the digest was not computed again. */
  readonly digestMatches: boolean;
};

/** Empty sections are left out. */
export function encodeBundle(sections: Partial<Sections>, hash: Hash = sha256): Uint8Array {
  const body = joinBytes([MAGIC, encodeSections(SECTION, sections)]);
  return concatBytes(body, hash(body));
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
  return { ...decodeSections(SECTION, body.subarray(MAGIC.length)), digestMatches };
}
